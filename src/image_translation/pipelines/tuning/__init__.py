"""Search for better parameters of a task's models, on the validation pairs."""

from image_translation.pipelines.tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
