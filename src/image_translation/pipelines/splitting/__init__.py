"""Assign groups to the subsets train, validation and test."""

from image_translation.pipelines.splitting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
