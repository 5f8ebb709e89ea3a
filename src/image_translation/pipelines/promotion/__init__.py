"""Compare the challenger with the champion."""

from image_translation.pipelines.promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
