"""Translate photographs of any size with trained models."""

from image_translation.pipelines.translate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
