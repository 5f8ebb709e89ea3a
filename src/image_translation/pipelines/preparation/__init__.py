"""Convert images to arrays."""

from image_translation.pipelines.preparation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
