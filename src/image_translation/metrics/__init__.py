"""Metrics of predictions.

Based on NumPy, SciPy and pandas; works in scripts and notebooks without Kedro.
"""

from importlib import import_module
from typing import Any

from image_translation.metrics.colour import (
    chroma_error,
    ciede2000,
    colourfulness_difference,
    saturation_bias,
)
from image_translation.metrics.fidelity import gmsd, mae, ms_ssim, mse, psnr, ssim
from image_translation.metrics.interval import Interval
from image_translation.metrics.realism import (
    SET_SCORE_COLUMNS,
    score_sets,
    set_contributions,
    set_floor,
    sliced_wasserstein,
)
from image_translation.metrics.registry import (
    FUNCTIONS,
    HEADLINES,
    INFINITE_PSNR_IN_MEANS,
    MEASURES,
    METRICS,
    SET_METRICS,
    Measure,
    Metric,
    for_means,
    format_value,
    score_images,
    score_stream,
)

__all__ = [
    "FUNCTIONS",
    "MEASURES",
    "SET_METRICS",
    "Measure",
    "SET_SCORE_COLUMNS",
    "score_sets",
    "set_contributions",
    "set_floor",
    "sliced_wasserstein",
    "HEADLINES",
    "INFINITE_PSNR_IN_MEANS",
    "METRICS",
    "Interval",
    "Metric",
    "chroma_error",
    "ciede2000",
    "colourfulness_difference",
    "for_means",
    "format_value",
    "gmsd",
    "mae",
    "ms_ssim",
    "mse",
    "psnr",
    "saturation_bias",
    "score_images",
    "score_stream",
    "ssim",
]


def __getattr__(name: str) -> Any:
    """Import ``compare_pairs`` lazily; it is available here for scripts."""
    if name == "compare_pairs":
        return import_module("image_translation.statistics.comparison").compare_pairs
    raise AttributeError(f"module {__name__} has no attribute {name}")
