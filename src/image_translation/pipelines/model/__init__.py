"""Template of one model: training, inference and scoring."""

from image_translation.pipelines.model.pipeline import (
    create_ensemble,
    create_external,
    create_pipeline,
)

__all__ = ["create_ensemble", "create_external", "create_pipeline"]
