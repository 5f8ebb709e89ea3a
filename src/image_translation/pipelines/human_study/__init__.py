"""The blind test and the evaluation of its votes."""

from image_translation.pipelines.human_study.pipeline import (
    create_blind_test,
    create_pipeline,
)

__all__ = ["create_blind_test", "create_pipeline"]
