"""Compare all models: tables, figures and the report."""

from image_translation.pipelines.comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
