"""Which model is in use: the challenger meets the champion."""

from image_translation.pipelines.promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
