"""Measure the rate of false claims by comparing a model with itself."""

from image_translation.pipelines.calibration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
