"""People judge the translations: the blind test, and what its votes say."""

from image_translation.pipelines.human_study.pipeline import (
    create_blind_test,
    create_pipeline,
)

__all__ = ["create_blind_test", "create_pipeline"]
