"""Realism: distances between the set of predictions and the set of targets.

A prediction can differ from its target and still look real; a blurred prediction can be
close to its target and look unreal. These metrics compare distributions over whole sets,
without pretrained networks. 0 is best, and is the expectation for two sets of the same
distribution (`metrics.set_distances`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.imaging.srgb import to_lab
from image_translation.metrics.chunks import Images, map_chunks, pair_batches
from image_translation.metrics.set_distances import (
    Doubles,
    draw_halves,
    euclidean_contributions,
    interval,
    wasserstein_contributions,
)

PATCH = 7
"""Height and width of a patch in pixels; Karras et al. 2018, section 5."""

SMALLEST_LEVEL = 16
"""Minimum size of the coarsest level of the pyramid in pixels, ibid."""

PROJECTIONS = 64
PATCHES_A_LEVEL = 2**14
"""Maximum number of patches per level over all images; bounds time and memory."""

PATCHES_AN_IMAGE = 256
"""Maximum number per image and level; more patches overlap and add little information."""

PATCHES_IN_CURVES = 64
"""Maximum number per image and level in the curve of a training (`sliced_wasserstein`)."""

SCALE = 1e3
"""Factor of reported sliced Wasserstein distances, ibid., table 1."""

BINS = 128
"""Number of bins with equal shares of the patches; a critic has one slope per bin."""

EDGES_FROM = 2**11
"""Approximate number of patches of each set that determine the bins."""

SMALLEST_POWER = 1e-12
"""Lower bound of the power of a frequency ring, for luma in [0, 1]; far below the power
of 8-bit rounding errors."""

SET_SCORE_COLUMNS = [
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "floor",
    "n_images",
    "n_groups",
]
SET_FLOOR_COLUMNS = ["metric", "floor", "n_images", "n_groups"]

_SEED = 20260
_LUMA = LUMA_WEIGHTS.astype(np.float32)
_LAB_LOWEST = np.array([0, -110, -110], dtype=np.float32)
_LAB_STEPS = 221

Sketch = dict[str, NDArray]
"""Features of images by name, one row per image."""


def set_contributions(
    predictions: Iterable[Images], targets: Images, groups: ArrayLike
) -> pd.DataFrame:
    """Contribution of each image to the distances between two sets.

    The mean over images is the distance, without the bias of finite sets
    (`metrics.set_distances`): its expectation is 0 for two sets of one distribution. All
    images of a group have the same value, and the variance between groups gives the
    standard error of the distance. The difference between the distances of two models is
    the mean of the differences of their contributions, so paired tests by group apply to
    distances as well.

    - ``swd_<size>``: sliced Wasserstein distance (Karras et al. 2018, "Progressive
      growing of GANs", section 5) between 7×7 patches of one level of the Laplacian
      pyramid, ×1,000; ``swd`` is the mean over the levels. Both sets are normalised by
      the mean and standard deviation of the targets per channel. The original code
      normalises each set by its own, which restores the contrast of a blurred set.
    - ``spectrum_distance``: root mean square difference, over radial frequencies, of
      the mean log power of luma, in dB (after Durall, Keuper & Keuper 2020, "Watch your
      up-convolution", section 3).
    - ``histogram_distance``: Wasserstein distance between the distributions of the
      pixels' L*, a* and b*, in steps of 1, averaged over the three.

    Args:
        predictions: Batches, uint8, n×S×S×3, N images in total, in the order of the
            targets: prediction i belongs to target i.
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: Group of each image, N values.

    Returns:
        One row per image, one column per metric; NaN for fewer than two groups.

    Raises:
        ValueError: The numbers of predictions, targets and groups differ.
    """
    codes = group_codes(groups, targets)
    if not len(codes):
        return pd.DataFrame(columns=set_metrics(targets.shape[1]), dtype=np.float64)
    predicted, wanted = _sketch_both(predictions, targets)
    return (
        pd.DataFrame(_by_group(predicted, wanted, codes))
        .loc[codes]
        .reset_index(drop=True)
    )


def score_sets(
    predictions: Iterable[Images], targets: Images, groups: ArrayLike
) -> pd.DataFrame:
    """Distances between the set of predictions and the set of targets.

    Args:
        predictions: As for `set_contributions`, which defines the distances.
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: Group of each image, N values.

    Returns:
        One row per metric, with the columns ``metric, value, ci_low, ci_high, floor,
        n_images, n_groups``; no rows without images. The value can be negative. The
        interval is the value ± Student's t times the standard error between groups; NaN
        for fewer than two groups. ``floor`` is that of `set_floor`.

    Raises:
        ValueError: As for `set_contributions`.
    """
    codes = group_codes(groups, targets)
    if not len(codes):
        return pd.DataFrame(columns=SET_SCORE_COLUMNS)
    predicted, wanted = _sketch_both(predictions, targets)
    return score_rows(
        _by_group(predicted, wanted, codes), _floors(wanted, codes), codes
    )


def set_floor(targets: Images, groups: ArrayLike) -> pd.DataFrame:
    """Uncorrected distances between two halves of the targets.

    The distances are averaged over random halves of the groups. An uncorrected distance
    of this size can result from the finite size of the sets alone.

    Args:
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: Group of each image, N values.

    Returns:
        One row per metric, with the columns ``metric, floor, n_images, n_groups``; the
        numbers count both halves. NaN for fewer than two groups.

    Raises:
        ValueError: The numbers of groups and targets differ.
    """
    codes = group_codes(groups, targets)
    if not len(codes):
        return pd.DataFrame(columns=SET_FLOOR_COLUMNS)
    sketch = _Sketcher(targets.shape[1], len(targets))
    wanted = _join(map_chunks(lambda chunk: sketch(chunk.targets), targets, targets))
    return floor_rows(_floors(wanted, codes), codes)


def sliced_wasserstein(predictions: Iterable[Images], targets: Images) -> float:
    """Uncorrected sliced Wasserstein distance, for the curve of a training.

    The mean over the levels, with the published formula. It is biased upwards for finite
    sets, so it is comparable between epochs, but not with ``swd`` of `score_sets`.

    Args:
        predictions: Batches, uint8, n×S×S×3, N images in total.
        targets: uint8, N×S×S×3.

    Returns:
        Distance ×1,000; NaN without images.
    """
    if not len(targets):
        return float("nan")
    predicted, wanted = _sketch_both(predictions, targets, patches_alone=True)
    levels = []
    for name in wanted:
        project = _projector(wanted[name])
        levels.append(_swd(project(predicted[name]), project(wanted[name])))
    return float(np.mean(levels))


def score_rows(
    contributions: Mapping[str, Doubles],
    floors: Mapping[str, float],
    codes: NDArray[np.intp],
) -> pd.DataFrame:
    """Build the table of `score_sets`.

    Args:
        contributions: By metric, one value per group.
        floors: Floor by metric.
        codes: Group index of each image, N values.
    """
    shares = np.bincount(codes) / len(codes)
    return pd.DataFrame(
        [
            (name, *interval(values, shares), floors[name], len(codes), len(shares))
            for name, values in contributions.items()
        ],
        columns=SET_SCORE_COLUMNS,
    )


def floor_rows(floors: Mapping[str, float], codes: NDArray[np.intp]) -> pd.DataFrame:
    """Build the table of `set_floor`."""
    return pd.DataFrame(
        [(name, floor, len(codes), codes.max() + 1) for name, floor in floors.items()],
        columns=SET_FLOOR_COLUMNS,
    )


def set_metrics(size: int) -> list[str]:
    """Names of the distances between sets of images of this size, in table order."""
    levels = [f"swd_{level}" for level in swd_levels(size)]
    return ["swd", *levels, "spectrum_distance", "histogram_distance"]


def swd_levels(size: int) -> list[int]:
    """Sizes of the pyramid levels of an image of this size, finest first."""
    levels = [size]
    while (smaller := (levels[-1] + 1) // 2) >= SMALLEST_LEVEL:
        levels.append(smaller)
    return levels


def group_codes(groups: ArrayLike, targets: Images) -> NDArray[np.intp]:
    """Group index of each image, from 0."""
    codes, _ = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) != len(targets):
        raise ValueError(f"{len(codes)} groups for {len(targets)} targets")
    return codes


def _by_group(
    predicted: Sketch, wanted: Sketch, codes: NDArray[np.intp]
) -> dict[str, Doubles]:
    """Contributions of the groups by metric."""
    shares = np.bincount(codes) / len(codes)
    levels = {
        name: _swd_contributions(predicted[name], wanted[name], codes, shares)
        for name in wanted
        if name.startswith("swd_")
    }
    spectra, functions = (
        _group_means(predicted[name], codes) - _group_means(wanted[name], codes)
        for name in ("spectrum_distance", "histogram_distance")
    )
    return {
        "swd": np.mean(list(levels.values()), axis=0),
        **levels,
        "spectrum_distance": euclidean_contributions(spectra, shares),
        "histogram_distance": wasserstein_contributions(functions, shares),
    }


def _floors(wanted: Sketch, codes: NDArray[np.intp]) -> dict[str, float]:
    """Uncorrected distance between halves of the targets by metric."""
    halves = draw_halves(np.bincount(codes))
    levels = {
        name: _swd_floor(wanted[name], codes, halves)
        for name in wanted
        if name.startswith("swd_")
    }
    spectra, functions = (
        halves @ _group_means(wanted[name], codes)
        for name in ("spectrum_distance", "histogram_distance")
    )
    return {
        "swd": float(np.mean(list(levels.values()))),
        **levels,
        "spectrum_distance": _mean(np.linalg.norm(spectra, axis=1)),
        "histogram_distance": _mean(np.abs(functions).sum(axis=1)),
    }


def _mean(values: Doubles) -> float:
    return float(values.mean()) if len(values) else np.nan


def _group_means(values: NDArray, codes: NDArray[np.intp]) -> Doubles:
    """Mean of the rows of each group: N×D to G×D."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
    return sums / counts[:, np.newaxis]


def _sketch_both(
    predictions: Iterable[Images], targets: Images, *, patches_alone: bool = False
) -> tuple[Sketch, Sketch]:
    """Features of both sets; images are read once, batch by batch."""
    sketch = _Sketcher(targets.shape[1], len(targets), patches_alone=patches_alone)
    parts = [
        part
        for batch, batch_targets in pair_batches(predictions, targets)
        for part in map_chunks(
            lambda chunk: (sketch(chunk.predictions), sketch(chunk.targets)),
            batch,
            batch_targets,
        )
    ]
    predicted, wanted = zip(*parts, strict=True)
    return _join(predicted), _join(wanted)


def _join(parts: Sequence[Sketch]) -> Sketch:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Sketcher:
    """Extracts the features for the distances, at the same positions in all images."""

    def __init__(self, size: int, images: int, *, patches_alone: bool = False) -> None:
        most = PATCHES_IN_CURVES if patches_alone else PATCHES_AN_IMAGE
        count = max(1, min(most, PATCHES_A_LEVEL // images))
        random = np.random.default_rng(_SEED)
        self._corners = {
            level: _choose_corners(level - PATCH + 1, count, random)
            for level in swd_levels(size)
        }
        self._patches_alone = patches_alone

    def __call__(self, images: Images) -> Sketch:
        """Patches of all levels and, unless ``patches_alone``, spectra and histograms."""
        planes = np.moveaxis(images, -1, 1).astype(np.float32, order="C")
        planes /= 255
        sketch: Sketch = {
            f"swd_{band.shape[2]}": self._take_patches(band)
            for band in _laplacian_pyramid(planes)
        }
        if not self._patches_alone:
            luma = np.einsum("c,nc...->n...", _LUMA, planes)
            spectra = _log_spectra(luma)
            # Scaled so that the norm of a difference is its root mean square.
            sketch["spectrum_distance"] = spectra / np.sqrt(spectra.shape[1])
            sketch["histogram_distance"] = _lab_distributions(images)
        return sketch

    def _take_patches(self, band: NDArray) -> NDArray:
        """Extract patches: N×3×S×S to N×P×3×7×7."""
        windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), (2, 3))
        rows, columns = self._corners[band.shape[2]]
        return np.moveaxis(windows[:, :, rows, columns], 1, 2)


def _choose_corners(
    side: int, count: int, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of distinct random positions in a square; all if it has fewer."""
    places = side**2
    chosen = random.choice(places, min(count, places), replace=False)
    return np.divmod(chosen, side)


def _laplacian_pyramid(planes: NDArray) -> Iterator[NDArray]:
    """Bands of Burt & Adelson (1983), N×3×S×S, finest first; the last one is low-pass.

    Mirrored at the edges as in the code of Karras et al. and in OpenCV, also for odd S.
    """
    for _ in swd_levels(planes.shape[2])[1:]:
        size = planes.shape[2]
        smaller = _reduce(_reduce(planes, 2), 3)
        yield planes - _expand(_expand(smaller, 2, size), 3, size)
        planes = smaller
    yield planes


def _reduce(planes: NDArray, axis: int) -> NDArray:
    """Smooth by (1, 4, 6, 4, 1) / 16 along an axis and keep every other pixel."""
    pixels = np.moveaxis(planes, axis, 0)
    rows = np.concatenate([pixels[2:0:-1], pixels, pixels[-2:-4:-1]])
    count = (len(pixels) + 1) // 2
    first, second, third, fourth, fifth = (
        rows[start : start + 2 * count - 1 : 2] for start in range(5)
    )
    smooth = (first + fifth + 4 * (second + fourth) + 6 * third) / np.float32(16)
    return np.moveaxis(smooth, 0, axis)


def _expand(planes: NDArray, axis: int, size: int) -> NDArray:
    """Upsample to twice the pixels, or one less, interpolated by the kernel of `_reduce`."""
    pixels = np.moveaxis(planes, axis, 0)
    # The mirrored signal includes the zeros between pixels; for an even size the last
    # row is a zero.
    last = pixels[-2 if size % 2 else -1]
    rows = np.concatenate([pixels[1:2], pixels, last[np.newaxis]])
    before, here, after = rows[:-2], rows[1:-1], rows[2:]
    shape = list(planes.shape)
    shape[axis] = size
    wide = np.empty(shape, np.float32)
    twice = np.moveaxis(wide, axis, 0)
    twice[::2] = (before + 6 * here + after) / np.float32(8)
    twice[1::2] = ((here + after) / np.float32(2))[: size // 2]
    return wide


def _log_spectra(luma: NDArray) -> NDArray:
    """Log power in dB by radial frequency, from 1 to S/2: N×S×S to N×S/2."""
    size = luma.shape[1]
    power = np.abs(scipy.fft.rfft2(luma)) ** 2 / size**4
    rings, shares = _rings(size)
    flat = (power * shares).reshape(len(power), -1)
    means = np.stack([np.bincount(rings, image) for image in flat])
    return 10 * np.log10(np.maximum(means[:, 1 : size // 2 + 1], SMALLEST_POWER))


@cache
def _rings(size: int) -> tuple[NDArray[np.intp], Doubles]:
    """Radial frequency and weight in its ring of each of the S×(S/2+1) coefficients."""
    rows = np.fft.fftfreq(size, 1 / size)[:, np.newaxis]
    columns = np.arange(size // 2 + 1)
    rings = np.hypot(rows, columns).round().astype(np.intp)
    # A real transform omits the columns that mirror all but the first and the last one.
    weights = np.where((columns == 0) | (2 * columns == size), 1.0, 2.0) + 0 * rows
    counts = np.bincount(rings.ravel(), weights.ravel())
    return rings.ravel(), weights / counts[rings]


def _lab_distributions(images: Images) -> NDArray:
    """Distribution functions of L*, a* and b* in steps of 1, divided by 3: N×663."""
    lab = to_lab(images).reshape(3, len(images), -1)
    lab -= _LAB_LOWEST[:, np.newaxis, np.newaxis]
    steps = np.clip(lab, 0, _LAB_STEPS - 1, out=lab).astype(np.intp)
    counts = [
        [np.bincount(plane, minlength=_LAB_STEPS) for plane in image]
        for image in np.moveaxis(steps, 1, 0)
    ]
    functions = np.cumsum(counts, axis=2) / lab.shape[2]
    return functions.reshape(len(images), -1) / 3


def _swd_contributions(
    predicted: NDArray, wanted: NDArray, codes: NDArray[np.intp], shares: Doubles
) -> Doubles:
    """Contribution of each group, averaged over directions, ×1,000."""
    total, project = np.zeros(len(shares)), _projector(wanted)
    for ours, theirs in _integrals([project(predicted), project(wanted)], codes):
        total += wasserstein_contributions(ours - theirs, shares)
    return SCALE / PROJECTIONS * total


def _swd_floor(wanted: NDArray, codes: NDArray[np.intp], halves: Doubles) -> float:
    """Uncorrected distance between halves, averaged over directions, ×1,000."""
    distances = [
        np.abs(halves @ functions).sum(axis=1)
        for (functions,) in _integrals([_projector(wanted)(wanted)], codes)
    ]
    return SCALE * _mean(np.mean(distances, axis=0))


def _projector(wanted: NDArray) -> Callable[[NDArray], NDArray]:
    """Return a function that projects patches along random directions.

    It maps N×P×3×7×7 to N·P×directions and normalises by the statistics of the targets.
    """
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

    return project


def _swd(a: NDArray, b: NDArray) -> float:
    """Wasserstein distance averaged over directions, ×1,000."""
    distances = np.abs(np.sort(a, axis=0) - np.sort(b, axis=0))
    return SCALE * float(distances.mean(dtype=np.float64))


def _integrals(
    sides: Sequence[NDArray], codes: NDArray[np.intp]
) -> Iterator[list[Doubles]]:
    """Integrate the distribution functions of the groups, for each direction and set.

    Args:
        sides: Projections of each set, N·P×directions, with the P patches of an image in
            consecutive rows.
        codes: Group index of each image, N values.

    Yields:
        For each set, the integral of each group's distribution function over each bin,
        G×BINS. All sets share the same bins.
    """
    owner = BINS * np.repeat(codes, len(sides[0]) // len(codes))
    groups, step = codes.max() + 1, 1 + len(sides[0]) // EDGES_FROM
    for columns in zip(*(np.ascontiguousarray(side.T) for side in sides), strict=True):
        # Quantiles of a subsample; values beyond its ends belong to the outer bins.
        some = np.concatenate([column[::step] for column in columns])
        edges = np.quantile(some, np.linspace(0, 1, BINS + 1)).astype(np.float32)
        yield [_integrate(column, edges, owner, groups) for column in columns]


def _integrate(
    values: NDArray, edges: NDArray, owner: NDArray[np.intp], groups: int
) -> Doubles:
    """Integrate the groups' distribution functions between edges: G×BINS."""
    bins = np.clip(np.searchsorted(edges, values, "right") - 1, 0, BINS - 1)
    cells = owner + bins
    counts, inside = (
        np.bincount(cells, weights, groups * BINS).reshape(groups, BINS)
        for weights in (None, edges[bins + 1] - values)
    )
    below = np.cumsum(counts, axis=1) - counts
    return (below * np.diff(edges) + inside) / counts.sum(axis=1, keepdims=True)
