"""Whether verdicts keep their promise: a model is compared with itself."""

from image_translation.pipelines.calibration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
