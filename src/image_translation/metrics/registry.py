"""Registry of metrics: definition, range, format and function by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics import colour, fidelity
from image_translation.metrics.chunks import ImageScore, map_chunks, pair_batches

INFINITE_PSNR_IN_MEANS = 100.0
"""Value of an infinite PSNR (equal images) in means, in dB."""

_NON_NEGATIVE = (0.0, float("inf"))
_UNBOUNDED = (-float("inf"), float("inf"))

Family = Literal["fidelity", "colour", "realism", "learned"]
"""Family of a metric: pixelwise fidelity to the target, colour, realism of the set of
predictions, or based on a trained network."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Description of a metric, for tables and reports.

    Attributes:
        name: Name in the tables.
        family: Family of the metric.
        label: Display name.
        higher_is_better: Direction of the metric.
        unit: Unit of a value; empty for a plain number.
        range: Smallest and largest possible value.
        decimals: Number of decimals of a displayed value.
        definition: Definition with all settings.
        source: Reference to the paper.
        margin: Difference up to which two models are practically equal; None if no
            margin can be justified.
        margin_reason: Justification of the margin.
        is_tracked: Whether MLflow's table of runs has a column for it.
    """

    name: str
    family: Family
    label: str
    higher_is_better: bool
    unit: str = ""
    range: tuple[float, float]
    decimals: int
    definition: str
    source: str
    margin: float | None = None
    margin_reason: str = ""
    is_tracked: bool = True

    @property
    def title(self) -> str:
        """Label with unit, for table headers and axes."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, kw_only=True)
class Metric(Measure):
    """Metric of one prediction and its target: a column in ``scores.csv``.

    Attributes:
        function: ``(predictions, targets) -> N values`` for uint8, N×H×W×C. Functions
            decorated with `ImageScore` share intermediate results.
    """

    function: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]]


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                name="mse",
                family="fidelity",
                label="MSE",
                function=fidelity.mse,
                higher_is_better=False,
                range=(0.0, 1.0),
                decimals=5,
                margin=0.0005,
                margin_reason="5 % of an MSE of 0.01, a PSNR of 20 dB, as for PSNR",
                definition=(
                    "Mean squared error between 8-bit prediction and target on the 0–1 "
                    "scale, averaged over pixels and channels."
                ),
                source="Wang & Bovik (2009), Mean squared error: love it or leave it?",
            ),
            Metric(
                name="psnr",
                family="fidelity",
                label="PSNR",
                function=fidelity.psnr,
                higher_is_better=True,
                unit="dB",
                range=_NON_NEGATIVE,
                decimals=2,
                margin=0.25,
                margin_reason=(
                    "half of the 0.5 dB that video coding regards as just visible "
                    "(Salomon 2007, Data compression: the complete reference)"
                ),
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
                family="fidelity",
                label="SSIM",
                function=fidelity.ssim,
                higher_is_better=True,
                range=(-1.0, 1.0),
                decimals=3,
                margin=0.005,
                margin_reason="half of the second decimal, often the last one reported",
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
            Metric(
                name="mae",
                is_tracked=False,
                family="fidelity",
                label="MAE",
                function=fidelity.mae,
                higher_is_better=False,
                range=(0.0, 1.0),
                decimals=4,
                margin=0.002,
                margin_reason="half a level of 8-bit images",
                definition=(
                    "Mean absolute error between 8-bit prediction and target on the 0–1 "
                    "scale, averaged over pixels and channels."
                ),
                source=(
                    "Isola, Zhu, Zhou & Efros (2017), Image-to-image translation with "
                    "conditional adversarial networks (the L1 term)"
                ),
            ),
            Metric(
                name="ms_ssim",
                is_tracked=False,
                family="fidelity",
                label="MS-SSIM",
                function=fidelity.ms_ssim,
                higher_is_better=True,
                range=(0.0, 1.0),
                decimals=3,
                margin=0.005,
                margin_reason="half of the second decimal, often the last one reported",
                definition=(
                    "SSIM over five scales with the published weights; images smaller "
                    "than 176 pixels use as many scales as the window fits into, with "
                    "weights rescaled to a sum of 1."
                ),
                source=(
                    "Wang, Simoncelli & Bovik (2003), Multi-scale structural similarity "
                    "for image quality assessment"
                ),
            ),
            Metric(
                name="gmsd",
                is_tracked=False,
                family="fidelity",
                label="GMSD",
                function=fidelity.gmsd,
                higher_is_better=False,
                range=(0.0, 0.5),
                decimals=4,
                definition=(
                    "Standard deviation of the similarity of gradient magnitudes "
                    "(Prewitt) of luma at half size, with c = 170."
                ),
                source=(
                    "Xue, Zhang, Mou & Bovik (2014), Gradient magnitude similarity "
                    "deviation"
                ),
            ),
            Metric(
                name="ciede2000",
                family="colour",
                label="CIEDE2000",
                function=colour.ciede2000,
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=2,
                margin=0.5,
                margin_reason="half of a just noticeable difference",
                definition=(
                    "Mean colour difference ΔE00 over the pixels; about 1 is just "
                    "noticeable side by side."
                ),
                source=(
                    "Sharma, Wu & Dalal (2005), The CIEDE2000 color-difference formula"
                ),
            ),
            Metric(
                name="chroma_error",
                is_tracked=False,
                family="colour",
                label="Chroma error",
                function=colour.chroma_error,
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=2,
                margin=0.5,
                margin_reason="half of a just noticeable difference",
                definition=(
                    "Mean distance between the pixels in the plane of a* and b* of "
                    "CIE L*a*b* (D65): colour without lightness."
                ),
                source="CIE 1976 L*a*b*",
            ),
            Metric(
                name="colourfulness_difference",
                is_tracked=False,
                family="colour",
                label="Colourfulness difference",
                function=colour.colourfulness_difference,
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=2,
                margin=1.0,
                margin_reason=(
                    "a fifteenth of the step from not colourful to slightly colourful "
                    "in the authors' table 2"
                ),
                definition=(
                    "Absolute difference of the colourfulness M3 of prediction and "
                    "target; M3 is 0 for grey and about 100 for the most colourful "
                    "photographs."
                ),
                source=(
                    "Hasler & Süsstrunk (2003), Measuring colorfulness in natural images"
                ),
            ),
            Metric(
                name="saturation_bias",
                is_tracked=False,
                family="colour",
                label="Saturation bias",
                function=colour.saturation_bias,
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=2,
                margin=0.5,
                margin_reason="half of a just noticeable difference",
                definition=(
                    "Absolute difference of the mean chroma C*ab of prediction and "
                    "target; large for washed-out and for oversaturated predictions."
                ),
                source=(
                    "CIE 1976 chroma; Zhang, Isola & Efros (2016), Colorful image "
                    "colorization, on washed-out predictions"
                ),
            ),
        )
    }
)
"""Metrics of single images, in table order."""

_UNBIASED = (
    "Each group of images is evaluated by a critic fitted to the other groups, so that the "
    "expectation for two sets of one distribution is 0, whatever their size, and a value "
    "can be negative."
)


def _swd(name: str, level: str) -> Measure:
    return Measure(
        name=name,
        is_tracked=not level,
        family="realism",
        label=f"SWD {level}".rstrip(),
        higher_is_better=False,
        range=_UNBOUNDED,
        decimals=1,
        definition=(
            "Sliced Wasserstein distance ×1,000 between 7×7 patches of "
            + (f"the {level} level" if level else "the levels")
            + " of the Laplacian pyramids of predictions and targets, normalised by the "
            "targets' mean and standard deviation"
            + (". " if level else "; mean over the levels. ")
            + _UNBIASED
        ),
        source="Karras, Aila, Laine & Lehtinen (2018), Progressive growing of GANs",
    )


LEARNED_METRICS: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure(
                name="lpips",
                family="learned",
                label="LPIPS",
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=3,
                definition=(
                    "Distance between features of AlexNet, version 0.1, with the "
                    "published linear weights."
                ),
                source=(
                    "Zhang et al. (2018), The unreasonable effectiveness of deep "
                    "features as a perceptual metric"
                ),
            ),
            Measure(
                name="dists",
                family="learned",
                label="DISTS",
                higher_is_better=False,
                range=(0.0, 1.0),
                decimals=3,
                definition=(
                    "One minus the similarity of texture and structure of features of "
                    "VGG16, with the published weights."
                ),
                source=(
                    "Ding, Ma, Wang & Simoncelli (2020), Image quality assessment: "
                    "unifying structure and texture similarity"
                ),
            ),
            Measure(
                name="encoder_distance",
                is_tracked=False,
                family="learned",
                label="Encoder distance",
                higher_is_better=False,
                range=(0.0, 4.0),
                decimals=3,
                definition=(
                    "Squared difference between features of EfficientNet-Lite of unit "
                    "length, averaged over positions and five levels; LPIPS's distance "
                    "without its weights, in another network."
                ),
                source=(
                    "Zhang et al. (2018), The unreasonable effectiveness of deep "
                    "features as a perceptual metric"
                ),
            ),
        )
    }
)
"""Metrics of single images that need pretrained weights; see ``metrics.learned``."""

SET_METRICS: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            _swd("swd", ""),
            *(
                _swd(f"swd_{size}", f"{size} px")
                for size in (512, 256, 128, 64, 32, 16)
            ),
            Measure(
                name="spectrum_distance",
                is_tracked=False,
                family="realism",
                label="Spectrum distance",
                higher_is_better=False,
                unit="dB",
                range=_UNBOUNDED,
                decimals=2,
                definition=(
                    "Root mean square difference, over radial frequencies, between the "
                    f"mean log power of luma of predictions and of targets. {_UNBIASED}"
                ),
                source="Durall, Keuper & Keuper (2020), Watch your up-convolution",
            ),
            Measure(
                name="histogram_distance",
                is_tracked=False,
                family="realism",
                label="Colour histogram distance",
                higher_is_better=False,
                range=_UNBOUNDED,
                decimals=2,
                definition=(
                    "Wasserstein distance between the distributions of the pixels' L*, a* "
                    "and b* in all predictions and in all targets, averaged over the "
                    f"three. {_UNBIASED}"
                ),
                source=(
                    "Rubner, Tomasi & Guibas (2000), The earth mover's distance as a "
                    "metric for image retrieval"
                ),
            ),
            Measure(
                name="fid",
                family="learned",
                label="FID",
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=1,
                definition=(
                    "Fréchet distance between features of Inception v3, over all test "
                    "images, as published: biased upwards, so comparable only between "
                    "sets of one size."
                ),
                source=(
                    "Heusel et al. (2017), GANs trained by a two time-scale update rule"
                ),
            ),
            Measure(
                name="kid",
                family="learned",
                label="KID",
                higher_is_better=False,
                range=_UNBOUNDED,
                decimals=4,
                definition=(
                    "Unbiased squared maximum mean discrepancy between features of "
                    "Inception v3 with a cubic kernel, over all pairs of images of two "
                    "different groups; can be negative."
                ),
                source="Bińkowski et al. (2018), Demystifying MMD GANs",
            ),
            Measure(
                name="encoder_frechet",
                is_tracked=False,
                family="learned",
                label="Encoder Fréchet distance",
                higher_is_better=False,
                range=_NON_NEGATIVE,
                decimals=2,
                definition=(
                    "Fréchet distance between features of EfficientNet-Lite, over all "
                    "test images. Not FID, which is in the features of another network; "
                    "biased upwards like it, so comparable only between sets of one size."
                ),
                source=(
                    "Heusel et al. (2017), GANs trained by a two time-scale update rule"
                ),
            ),
            Measure(
                name="encoder_kernel",
                is_tracked=False,
                family="learned",
                label="Encoder kernel distance",
                higher_is_better=False,
                range=_UNBOUNDED,
                decimals=4,
                definition=(
                    "Unbiased squared maximum mean discrepancy between features of "
                    "EfficientNet-Lite with a cubic kernel, over all pairs of images of "
                    "two different groups; can be negative. Not KID, which is in the "
                    "features of another network."
                ),
                source="Bińkowski et al. (2018), Demystifying MMD GANs",
            ),
        )
    }
)
"""Distances between the set of predictions and the set of targets."""

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {**METRICS, **LEARNED_METRICS, **SET_METRICS}
)
"""All measures that a comparison can contain."""

HEADLINES = ("mse", "psnr", "ssim")
"""Metrics of the study's question."""

Function = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]]
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {name: metric.function for name, metric in METRICS.items()}
)
"""Functions of the metrics of single images, by name."""


def score_images(
    predictions: NDArray[np.uint8],
    targets: NDArray[np.uint8],
    functions: Mapping[str, Function] = FUNCTIONS,
) -> pd.DataFrame:
    """Score all images by all metrics.

    Args:
        predictions: uint8, N×H×W×C.
        targets: uint8, N×H×W×C.
        functions: Metrics by name.

    Returns:
        N rows in the order of the images, one float64 column per metric.

    Raises:
        ValueError: The arrays are invalid for a metric.
    """
    shared = {
        name: function.of_chunk
        for name, function in functions.items()
        if isinstance(function, ImageScore)
    }
    parts = map_chunks(
        lambda chunk: {name: score(chunk) for name, score in shared.items()},
        predictions,
        targets,
    )
    return pd.DataFrame(
        {
            name: np.concatenate([np.empty(0), *(part[name] for part in parts)])
            if name in shared
            else function(predictions, targets)
            for name, function in functions.items()
        }
    )


def score_stream(
    predictions: Iterable[NDArray[np.uint8]],
    targets: NDArray[np.uint8],
    functions: Mapping[str, Function] = FUNCTIONS,
) -> pd.DataFrame:
    """Score batches of predictions, in the order of the targets.

    Args:
        predictions: Batches, uint8, n×H×W×C, N images in total.
        targets: uint8, N×H×W×C; may be memory-mapped.
        functions: Metrics by name.

    Returns:
        Table of `score_images` for all N images.

    Raises:
        ValueError: A batch is invalid for a metric, or the numbers of predictions and
            targets differ.
    """
    tables = [
        score_images(batch, batch_targets, functions)
        for batch, batch_targets in pair_batches(predictions, targets)
    ]
    if not tables:
        return pd.DataFrame(columns=list(functions), dtype=np.float64)
    return pd.concat(tables, ignore_index=True)


def for_means(metric: str, values: ArrayLike) -> NDArray[np.float64]:
    """Clip scores for means, differences and ranks.

    PSNR is clipped to 100 dB, the value of equal images. Other metrics do not change.

    Args:
        metric: Name of the metric.
        values: Scores of any shape.

    Returns:
        Scores of the same shape, float64; NaN stays NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    return np.minimum(values, INFINITE_PSNR_IN_MEANS) if metric == "psnr" else values


def format_value(metric: str, value: float) -> str:
    """Format a value with its decimals and unit; a dash for NaN.

    Examples:
        >>> format_value("psnr", 23.456)
        '23.46 dB'
        >>> format_value("ssim", float("nan"))
        '–'
    """
    entry = MEASURES[metric]
    if np.isnan(value):
        return "–"
    number = f"{value:.{entry.decimals}f}" if np.isfinite(value) else _infinity(value)
    return f"{number} {entry.unit}".rstrip()


def _infinity(value: float) -> str:
    return "∞" if value > 0 else "-∞"
