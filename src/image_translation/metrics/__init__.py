"""Scores of predictions, and what may be concluded from them.

Plain NumPy, SciPy and pandas: usable from a script or notebook without Kedro.
"""

from image_translation.metrics.comparison import (
    compare_effects,
    compare_models,
    compare_pairs,
)
from image_translation.metrics.fidelity import mse, psnr, ssim
from image_translation.metrics.registry import (
    HEADLINES,
    INFINITE_PSNR_IN_MEANS,
    METRICS,
    Metric,
    for_means,
    format_value,
    score_images,
    score_stream,
)
from image_translation.metrics.statistics import Interval, bootstrap_mean

__all__ = [
    "HEADLINES",
    "INFINITE_PSNR_IN_MEANS",
    "METRICS",
    "Interval",
    "Metric",
    "bootstrap_mean",
    "compare_effects",
    "compare_models",
    "compare_pairs",
    "for_means",
    "format_value",
    "mse",
    "psnr",
    "score_images",
    "score_stream",
    "ssim",
]
