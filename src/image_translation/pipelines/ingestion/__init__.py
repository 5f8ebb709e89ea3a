"""Form pairs from a source, and list them in the manifest."""

from image_translation.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
