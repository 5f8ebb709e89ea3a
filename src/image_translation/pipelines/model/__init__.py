"""One model: training, inference and scoring, the template for all of them."""

from image_translation.pipelines.model.pipeline import create_pipeline

__all__ = ["create_pipeline"]
