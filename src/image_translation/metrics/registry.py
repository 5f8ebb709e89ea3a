"""The metrics by name: what each is, how it reads, and how it is computed."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics import fidelity

logger = logging.getLogger(__name__)

INFINITE_PSNR_IN_MEANS = 100.0
"""What an infinite PSNR, that of two equal images, counts as in means, in dB."""


@dataclass(frozen=True)
class Metric:
    """A score of one prediction against its target.

    Attributes:
        name: The column in ``scores.csv``.
        label: What people call it.
        function: ``(predictions, targets) -> N values`` for uint8, N×H×W×C.
        higher_is_better: Its direction.
        unit: Written after a value; empty for a plain number.
        range: Smallest and largest possible value.
        decimals: Digits after the point, where a value is shown.
        definition: One sentence that states every setting.
        source: The paper.
    """

    name: str
    label: str
    function: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]]
    higher_is_better: bool
    unit: str
    range: tuple[float, float]
    decimals: int
    definition: str
    source: str

    @property
    def title(self) -> str:
        """Label with unit, for a table's head or an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                name="mse",
                label="MSE",
                function=fidelity.mse,
                higher_is_better=False,
                unit="",
                range=(0.0, 1.0),
                decimals=5,
                definition=(
                    "Mean squared error between 8-bit prediction and target on the 0–1 "
                    "scale, averaged over pixels and channels."
                ),
                source="Wang & Bovik (2009), Mean squared error: love it or leave it?",
            ),
            Metric(
                name="psnr",
                label="PSNR",
                function=fidelity.psnr,
                higher_is_better=True,
                unit="dB",
                range=(0.0, float("inf")),
                decimals=2,
                definition=(
                    "Peak signal-to-noise ratio of each 8-bit image, 10·log10(1/MSE), "
                    "then averaged over images; infinite for equal images, which "
                    f"counts as {INFINITE_PSNR_IN_MEANS:.0f} dB in means."
                ),
                source=(
                    "Huynh-Thu & Ghanbari (2008), Scope of validity of PSNR in "
                    "image/video quality assessment"
                ),
            ),
            Metric(
                name="ssim",
                label="SSIM",
                function=fidelity.ssim,
                higher_is_better=True,
                unit="",
                range=(-1.0, 1.0),
                decimals=3,
                definition=(
                    f"Structural similarity with an {fidelity.SSIM_WINDOW}×"
                    f"{fidelity.SSIM_WINDOW} Gaussian window of sigma "
                    f"{fidelity.SSIM_SIGMA}, K1 {fidelity.SSIM_K1}, "
                    f"K2 {fidelity.SSIM_K2}, population covariance and data range "
                    f"{fidelity.DATA_RANGE}, averaged over the windows inside the "
                    "image and over channels."
                ),
                source=(
                    "Wang, Bovik, Sheikh & Simoncelli (2004), Image quality "
                    "assessment: from error visibility to structural similarity"
                ),
            ),
        )
    }
)
"""Every metric, in the order of the tables."""

HEADLINES = ("mse", "psnr", "ssim")
"""The metrics of the study's question."""


def score_images(
    predictions: NDArray[np.uint8], targets: NDArray[np.uint8]
) -> pd.DataFrame:
    """Score every image by every metric.

    Args:
        predictions: uint8, N×H×W×C.
        targets: uint8, N×H×W×C.

    Returns:
        N rows in the order of the images, one float64 column a metric.

    Raises:
        ValueError: The arrays do not fit a metric.
    """
    return pd.DataFrame(
        {
            name: metric.function(predictions, targets)
            for name, metric in METRICS.items()
        }
    )


def score_stream(
    predictions: Iterable[NDArray[np.uint8]], targets: NDArray[np.uint8]
) -> pd.DataFrame:
    """Score predictions that come in batches, in the order of the targets.

    Args:
        predictions: Batches, uint8, n×H×W×C, together N images.
        targets: uint8, N×H×W×C; may be memory-mapped.

    Returns:
        As ``score_images`` for all batches in one.

    Raises:
        ValueError: A batch does not fit a metric, or there are not as many predictions
            as targets.
    """
    done = 0
    tables = [pd.DataFrame(columns=list(METRICS), dtype=np.float64)]
    for batch in predictions:
        stop = done + len(batch)
        if stop > len(targets):
            raise ValueError(f"more predictions than the {len(targets)} targets")
        tables.append(score_images(batch, targets[done:stop]))
        done = stop
        logger.debug("scored %s of %s images", done, len(targets))
    if done < len(targets):
        raise ValueError(f"{done} predictions for {len(targets)} targets")
    # An empty table only gives an empty stream its columns.
    return pd.concat(tables[1:] or tables, ignore_index=True)


def for_means(metric: str, values: ArrayLike) -> NDArray[np.float64]:
    """Values as they count in means, differences and ranks.

    PSNR is cut at 100 dB, so equal images count as 100 dB and no image counts more.
    Other metrics stay as they are.

    Args:
        metric: Name of the metric.
        values: Scores of any shape.

    Returns:
        Scores of the same shape, float64; NaN stays NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    return np.minimum(values, INFINITE_PSNR_IN_MEANS) if metric == "psnr" else values


def format_value(metric: str, value: float) -> str:
    """A value as people read it, with its unit; a dash where there is none.

    Examples:
        >>> format_value("psnr", 23.456)
        '23.46 dB'
        >>> format_value("ssim", float("nan"))
        '–'
    """
    entry = METRICS[metric]
    if np.isnan(value):
        return "–"
    number = f"{value:.{entry.decimals}f}" if np.isfinite(value) else _infinity(value)
    return f"{number} {entry.unit}".rstrip()


def _infinity(value: float) -> str:
    return "∞" if value > 0 else "-∞"
