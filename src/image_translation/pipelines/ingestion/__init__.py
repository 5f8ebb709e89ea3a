"""Sources become pairs: the manifest of everything found."""

from image_translation.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
