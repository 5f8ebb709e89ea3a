"""Realism: how much a set of predictions looks like the set of targets.

A prediction may be wrong about its target and yet look like a real picture; a blurred one
may be close to its target and look like none. These metrics compare distributions over
whole sets, without weights learned elsewhere. 0 is best.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.chunks import Images, map_chunks
from image_translation.metrics.colour import to_lab
from image_translation.metrics.statistics import CONFIDENCE

PATCH = 7
"""Height and width of a patch, Karras et al. 2018, section 5."""

SMALLEST_LEVEL = 16
"""Pixels of the coarsest level of the pyramid, ibid."""

PROJECTIONS = 64
PATCHES_AN_IMAGE = 64
PATCHES_A_LEVEL = 2**14
"""At most, so that memory stays bounded; of more images fewer patches each are taken."""

SCALE = 1e3
"""Sliced Wasserstein distances are written in thousandths, ibid., table 1."""

RESAMPLES = 499
RESAMPLED_PROJECTIONS = 8
RESAMPLED_STEPS = 256
"""Of the distribution functions: enough for the spread between resamples."""

SMALLEST_POWER = 1e-12
"""Of a ring of frequencies, luma from 0 to 1: far below that of 8-bit rounding."""

SET_SCORE_COLUMNS = ["metric", "value", "ci_low", "ci_high"]

_SEED = 20260
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LAB_LOWEST = np.array([0, -110, -110], dtype=np.float32)
_LAB_STEPS = 221

Doubles = NDArray[np.float64]
Sketch = dict[str, NDArray]
"""What is kept of images: name → one row an image."""


def score_sets(
    predictions: Iterable[Images], targets: Images, groups: ArrayLike
) -> pd.DataFrame:
    """Every distance between the set of predictions and that of targets.

    - ``swd_<size>``: sliced Wasserstein distance (Karras et al. 2018, "Progressive
      growing of GANs", section 5) between 7×7 patches of a level of the Laplacian
      pyramid, ×1,000; ``swd`` is the mean over the levels. Both sets are normalised by
      the targets' mean and deviation of each channel: normalised by its own, as in the
      original code, a blurred set would be given its contrast back.
    - ``spectrum_distance``: root mean square difference, over radial frequencies, of
      the mean log power of luma, in dB (after Durall, Keuper & Keuper 2020, "Watch your
      up-convolution", section 3).
    - ``histogram_distance``: Wasserstein distance between the pixels' distributions of
      L*, a* and b*, in steps of 1, averaged over the three.

    Intervals are the value ± Student's t times the standard deviation of the distance
    over resamples of whole groups, predictions and targets of a group together, cut at
    0. Percentiles of resamples would not do: a distance between sets grows when images
    are drawn twice, so they lie above the value.

    Args:
        predictions: Batches, uint8, n×S×S×3, together N images.
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: The group of each image.

    Returns:
        One row a metric, with the columns ``metric, value, ci_low, ci_high``; none
        without images. NaN ends for fewer than two groups.

    Raises:
        ValueError: There are not as many predictions as targets, or as groups.
    """
    codes, labels = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) != len(targets):
        raise ValueError(f"{len(codes)} groups for {len(targets)} targets")
    if not len(targets):
        return pd.DataFrame(columns=SET_SCORE_COLUMNS)
    predicted, wanted = _sketch_both(predictions, targets)
    draws = draw_groups(len(labels))
    distances = _patch_distances(predicted, wanted, codes, draws)
    for name, distance in (
        ("spectrum_distance", _rms),
        ("histogram_distance", _wasserstein_of_histograms),
    ):
        sketches = predicted[name], wanted[name]
        distances[name] = _distance_of_means(distance, *sketches, codes, draws)
    return pd.DataFrame(
        [
            (name, value, *_interval(value, resampled, len(labels)))
            for name, (value, resampled) in distances.items()
        ],
        columns=SET_SCORE_COLUMNS,
    )


def sliced_wasserstein(predictions: Iterable[Images], targets: Images) -> float:
    """The metric ``swd`` of `score_sets` alone; NaN without images."""
    if not len(targets):
        return float("nan")
    predicted, wanted = _sketch_both(predictions, targets, patches_alone=True)
    return float(np.mean([_swd(*_project(predicted[n], wanted[n])) for n in wanted]))


def swd_levels(size: int) -> list[int]:
    """Sizes of the levels of the pyramid of an image, the finest first."""
    levels = [size]
    while levels[-1] // 2 >= SMALLEST_LEVEL:
        levels.append(levels[-1] // 2)
    return levels


def _sketch_both(
    predictions: Iterable[Images], targets: Images, *, patches_alone: bool = False
) -> tuple[Sketch, Sketch]:
    """What is kept of both sets; images are read once, batch by batch."""
    sketch = _Sketcher(targets.shape[1], len(targets), patches_alone=patches_alone)
    parts: list[tuple[Sketch, Sketch]] = []
    done = 0
    for batch in predictions:
        stop = done + len(batch)
        if stop > len(targets):
            raise ValueError(f"more predictions than the {len(targets)} targets")
        parts += map_chunks(
            lambda chunk: (sketch(chunk.predictions), sketch(chunk.targets)),
            batch,
            targets[done:stop],
        )
        done = stop
    if done < len(targets):
        raise ValueError(f"{done} predictions for {len(targets)} targets")
    predicted, wanted = zip(*parts, strict=True)
    return _join(predicted), _join(wanted)


def _join(parts: Sequence[Sketch]) -> Sketch:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Sketcher:
    """Takes from images what the distances need; of every image at the same places."""

    def __init__(self, size: int, images: int, *, patches_alone: bool) -> None:
        random = np.random.default_rng(_SEED)
        count = max(1, min(PATCHES_AN_IMAGE, PATCHES_A_LEVEL // images))
        self._corners = {
            level: random.integers(0, level - PATCH + 1, (2, count))
            for level in swd_levels(size)
        }
        self._patches_alone = patches_alone

    def __call__(self, images: Images) -> Sketch:
        """Patches of every level and, unless these alone are wanted, the rest."""
        planes = np.moveaxis(images, -1, 1).astype(np.float32, order="C")
        planes /= 255
        sketch: Sketch = {
            f"swd_{band.shape[2]}": self._take_patches(band)
            for band in _laplacian_pyramid(planes)
        }
        if not self._patches_alone:
            luma = np.einsum("c,nc...->n...", _LUMA, planes)
            sketch["spectrum_distance"] = _log_spectra(luma)
            sketch["histogram_distance"] = _lab_histograms(images)
        return sketch

    def _take_patches(self, band: NDArray) -> NDArray:
        """N×P×3×7×7 of N×3×S×S."""
        windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), (2, 3))
        rows, columns = self._corners[band.shape[2]]
        return np.moveaxis(windows[:, :, rows, columns], 1, 2)


def _laplacian_pyramid(planes: NDArray) -> Iterator[NDArray]:
    """Bands of Burt & Adelson (1983), N×3×S×S, the finest first, the last low-pass."""
    for _ in swd_levels(planes.shape[2])[1:]:
        smaller = _reduce(_reduce(planes, 2), 3)
        yield planes - _expand(_expand(smaller, 2), 3)
        planes = smaller
    yield planes


def _reduce(planes: NDArray, axis: int) -> NDArray:
    """Every other pixel of the images smoothed by (1, 4, 6, 4, 1) / 16."""
    rows = _reflected(planes, axis, 2)
    count = planes.shape[axis] // 2
    first, second, third, fourth, fifth = (
        rows[start : start + 2 * count : 2] for start in range(5)
    )
    smooth = (first + fifth + 4 * (second + fourth) + 6 * third) / np.float32(16)
    return np.moveaxis(smooth, 0, axis)


def _expand(planes: NDArray, axis: int) -> NDArray:
    """Twice the pixels, what lies between them by the same kernel."""
    rows = _reflected(planes, axis, 1)
    before, here, after = rows[:-2], rows[1:-1], rows[2:]
    shape = list(planes.shape)
    shape[axis] *= 2
    wide = np.empty(shape, np.float32)
    twice = np.moveaxis(wide, axis, 0)
    twice[::2] = (before + 6 * here + after) / np.float32(8)
    twice[1::2] = (here + after) / np.float32(2)
    return wide


def _reflected(planes: NDArray, axis: int, pixels: int) -> NDArray:
    """The images with their own pixels beyond both ends of an axis, which comes first."""
    rows = np.moveaxis(planes, axis, 0)
    return np.concatenate([rows[pixels:0:-1], rows, rows[-2 : -2 - pixels : -1]])


def _log_spectra(luma: NDArray) -> NDArray:
    """Log power in dB by radial frequency from 1 to half the size: N×S×S to N×S/2."""
    size = luma.shape[1]
    power = np.abs(scipy.fft.rfft2(luma)) ** 2 / size**4
    rings, shares = _rings(size)
    flat = (power * shares).reshape(len(power), -1)
    means = np.stack([np.bincount(rings, image) for image in flat])
    return 10 * np.log10(np.maximum(means[:, 1 : size // 2 + 1], SMALLEST_POWER))


@cache
def _rings(size: int) -> tuple[NDArray[np.intp], Doubles]:
    """Of a real transform's S×(S/2+1) values: radial frequency, and share of its ring."""
    rows = np.fft.fftfreq(size, 1 / size)[:, np.newaxis]
    columns = np.arange(size // 2 + 1)
    rings = np.hypot(rows, columns).round().astype(np.intp)
    # the columns that a real transform leaves out mirror those between the outermost
    weights = np.where((columns == 0) | (2 * columns == size), 1.0, 2.0) + 0 * rows
    counts = np.bincount(rings.ravel(), weights.ravel())
    return rings.ravel(), weights / counts[rings]


def _lab_histograms(images: Images) -> NDArray:
    """Shares of the pixels with L*, a* and b* in steps of 1: N×3×221."""
    lab = to_lab(images).reshape(3, len(images), -1)
    lab -= _LAB_LOWEST[:, np.newaxis, np.newaxis]
    steps = np.clip(lab, 0, _LAB_STEPS - 1, out=lab).astype(np.intp)
    counts = [
        [np.bincount(plane, minlength=_LAB_STEPS) for plane in image]
        for image in np.moveaxis(steps, 1, 0)
    ]
    return np.array(counts) / lab.shape[2]


def draw_groups(groups: int) -> Doubles:
    """How often each resample holds each group; the same for all models of a task."""
    random = np.random.default_rng(_SEED)
    counts = random.multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    return counts.astype(np.float64)


def _patch_distances(
    predicted: Sketch, wanted: Sketch, codes: NDArray, draws: Doubles
) -> dict[str, tuple[float, Doubles]]:
    """Distance and resampled distances, on average and for every level."""
    levels: dict[str, tuple[float, Doubles]] = {}
    for name in [name for name in wanted if name.startswith("swd_")]:
        a, b = _project(predicted[name], wanted[name])
        resampled = _resample_swd(a, b, codes, draws)
        levels[name] = _swd(a, b), resampled
    value = float(np.mean([value for value, _ in levels.values()]))
    together = np.mean([resampled for _, resampled in levels.values()], axis=0)
    return {"swd": (value, together), **levels}


def _project(predicted: NDArray, wanted: NDArray) -> tuple[NDArray, NDArray]:
    """Normalised patches, N×P×3×7×7, along random directions: N·P×directions each."""
    mean = wanted.mean(axis=(0, 1, 3, 4), keepdims=True, dtype=np.float64)
    spread = wanted.std(axis=(0, 1, 3, 4), keepdims=True, dtype=np.float64)
    offset = mean.astype(np.float32)
    scale = (1 / np.where(spread > 0, spread, 1)).astype(np.float32)
    directions = np.random.default_rng(_SEED).standard_normal(
        (3 * PATCH**2, PROJECTIONS)
    )
    directions /= np.linalg.norm(directions, axis=0)

    def project(patches: NDArray) -> NDArray:
        normal = (patches - offset) * scale
        return normal.reshape(-1, 3 * PATCH**2) @ directions.astype(np.float32)

    return project(predicted), project(wanted)


def _swd(a: NDArray, b: NDArray) -> float:
    """Mean over the directions of the Wasserstein distance, ×1,000."""
    distances = np.abs(np.sort(a, axis=0) - np.sort(b, axis=0))
    return SCALE * float(distances.mean(dtype=np.float64))


def _resample_swd(a: NDArray, b: NDArray, codes: NDArray, draws: Doubles) -> Doubles:
    """The distance of every resample, from distribution functions in steps."""
    patches = len(a) // len(codes)
    owner = np.repeat(codes, patches)
    groups = draws.shape[1]
    counts = np.bincount(owner, minlength=groups)
    total = np.zeros(len(draws))
    for first, second in zip(
        a.T[:RESAMPLED_PROJECTIONS], b.T[:RESAMPLED_PROJECTIONS], strict=True
    ):
        both = np.concatenate([first, second])
        edges = np.quantile(both, np.linspace(0, 1, RESAMPLED_STEPS + 1))
        steps = RESAMPLED_STEPS * groups
        shares = [
            np.bincount(
                owner * RESAMPLED_STEPS
                + np.clip(np.searchsorted(edges, side) - 1, 0, RESAMPLED_STEPS - 1),
                minlength=steps,
            ).reshape(groups, RESAMPLED_STEPS)
            for side in (first, second)
        ]
        functions = np.cumsum(draws @ (shares[0] - shares[1]), axis=1)
        total += np.abs(functions) @ np.diff(edges) / (draws @ counts)
    return SCALE * total / min(RESAMPLED_PROJECTIONS, a.shape[1])


def _distance_of_means(
    distance: Callable[[Doubles], Doubles],
    predicted: NDArray,
    wanted: NDArray,
    codes: NDArray,
    draws: Doubles,
) -> tuple[float, Doubles]:
    """A distance that is a function of the difference of the sets' means."""
    differences = np.asarray(predicted - wanted, dtype=np.float64)
    shape = differences.shape[1:]
    flat = differences.reshape(len(differences), -1)
    sums = np.zeros((draws.shape[1], flat.shape[1]))
    np.add.at(sums, codes, flat)
    counts = np.bincount(codes, minlength=draws.shape[1])
    means = (draws @ sums) / (draws @ counts)[:, np.newaxis]
    value = distance(differences.mean(axis=0)[np.newaxis])[0]
    return float(value), distance(means.reshape(-1, *shape))


def _rms(differences: Doubles) -> Doubles:
    return np.sqrt((differences**2).mean(axis=1))


def _wasserstein_of_histograms(differences: Doubles) -> Doubles:
    return np.abs(np.cumsum(differences, axis=2)).sum(axis=2).mean(axis=1)


def _interval(value: float, resampled: Doubles, groups: int) -> tuple[float, float]:
    margin = distance_margin(resampled, groups)
    return float(np.maximum(0, value - margin)), value + margin


def distance_margin(resampled: Doubles, groups: int) -> float:
    """Half-width of a distance's 95 % interval; NaN for fewer than two groups."""
    if groups < 2:
        return np.nan
    quantile = scipy.special.stdtrit(groups - 1, (1 + CONFIDENCE) / 2)
    return float(quantile * resampled.std(ddof=1))
