"""Photographs of any size, translated by what was trained."""

from image_translation.pipelines.translate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
