"""Metrics of predictions, and statistical comparison of models.

Based on NumPy, SciPy and pandas; works in scripts and notebooks without Kedro.
"""

from image_translation.metrics.colour import (
    chroma_error,
    ciede2000,
    colourfulness_difference,
    saturation_bias,
)
from image_translation.metrics.comparison import (
    compare_effects,
    compare_models,
    compare_pairs,
    compare_task,
)
from image_translation.metrics.fidelity import gmsd, mae, ms_ssim, mse, psnr, ssim
from image_translation.metrics.inference import bootstrap_mean
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
from image_translation.metrics.statistics import Interval

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
    "bootstrap_mean",
    "chroma_error",
    "ciede2000",
    "colourfulness_difference",
    "compare_effects",
    "compare_models",
    "compare_pairs",
    "compare_task",
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
