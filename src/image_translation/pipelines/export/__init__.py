"""Export trained models for other runtimes."""

from image_translation.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
