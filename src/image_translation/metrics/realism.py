"""Realism: how much a set of predictions looks like the set of targets.

A prediction may be wrong about its target and yet look like a real picture; a blurred one
may be close to its target and look like none. These metrics compare distributions over
whole sets, without weights learned elsewhere. 0 is best, and what two sets of one
distribution have on average (`metrics.held_out`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from image_translation.metrics.chunks import Images, map_chunks
from image_translation.metrics.colour import to_lab
from image_translation.metrics.held_out import (
    Doubles,
    draw_halves,
    euclidean_contributions,
    interval,
    wasserstein_contributions,
)

PATCH = 7
"""Height and width of a patch, Karras et al. 2018, section 5."""

SMALLEST_LEVEL = 16
"""Pixels of the coarsest level of the pyramid, ibid."""

PROJECTIONS = 64
PATCHES_A_LEVEL = 2**14
"""At most, of all images together, so that time and memory stay bounded."""

PATCHES_AN_IMAGE = 256
"""At most: more hold little that is new, as they overlap."""

PATCHES_IN_CURVES = 64
"""At most of an image, in the curve that a training shows (`sliced_wasserstein`)."""

SCALE = 1e3
"""Sliced Wasserstein distances are written in thousandths, ibid., table 1."""

BINS = 128
"""Of equal shares of the patches, in which the slope of a critic is constant."""

EDGES_FROM = 2**11
"""Patches of each side that choose the bins."""

SMALLEST_POWER = 1e-12
"""Of a ring of frequencies, luma from 0 to 1: far below that of 8-bit rounding."""

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
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LAB_LOWEST = np.array([0, -110, -110], dtype=np.float32)
_LAB_STEPS = 221

Sketch = dict[str, NDArray]
"""What is kept of images: name → one row an image."""


def set_contributions(
    predictions: Iterable[Images], targets: Images, groups: ArrayLike
) -> pd.DataFrame:
    """What every image contributes to the distances between two sets.

    The mean over images is the distance, without the bias of a finite set
    (`metrics.held_out`): 0 on average for two sets of one distribution. All images of a
    group have the same value, and the variance between groups gives the distance's
    error. The difference of two models' distances is the mean of the differences of
    their contributions, so that a test of differences by group serves here too.

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

    Args:
        predictions: Batches, uint8, n×S×S×3, together N images, in the order of the
            targets: prediction i shows what target i shows.
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: The group of each image.

    Returns:
        One row an image, one column a metric; NaN for fewer than two groups.

    Raises:
        ValueError: There are not as many predictions as targets, or as groups.
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
    """Every distance between the set of predictions and that of targets.

    Args:
        predictions: As for `set_contributions`, which names the distances.
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: The group of each image.

    Returns:
        One row a metric, with the columns ``metric, value, ci_low, ci_high, floor,
        n_images, n_groups``; none without images. The value may fall below 0. The
        interval is the value ± Student's t times the error between groups; NaN for
        fewer than two. ``floor`` is that of `set_floor`.

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
    """How far apart two halves of the targets are by the uncorrected formulas.

    The mean over random halves of the groups. This much of an uncorrected distance may
    be the size of the sets alone.

    Args:
        targets: uint8, N×S×S×3; may be memory-mapped.
        groups: The group of each image.

    Returns:
        One row a metric, with the columns ``metric, floor, n_images, n_groups``; the
        numbers are those of both halves together. NaN for fewer than two groups.

    Raises:
        ValueError: There are not as many groups as targets.
    """
    codes = group_codes(groups, targets)
    if not len(codes):
        return pd.DataFrame(columns=SET_FLOOR_COLUMNS)
    sketch = _Sketcher(targets.shape[1], len(targets))
    wanted = _join(map_chunks(lambda chunk: sketch(chunk.targets), targets, targets))
    return floor_rows(_floors(wanted, codes), codes)


def sliced_wasserstein(predictions: Iterable[Images], targets: Images) -> float:
    """The plain sliced Wasserstein distance, for the curve of a training.

    The mean over the levels, as published: biased upwards by the size of the sets, so
    comparable between epochs alone, and never with ``swd`` of `score_sets`.

    Args:
        predictions: Batches, uint8, n×S×S×3, together N images.
        targets: uint8, N×S×S×3.

    Returns:
        The distance ×1,000; NaN without images.
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
    """The table of `score_sets`.

    Args:
        contributions: Metric → one value a group.
        floors: Metric → its floor.
        codes: The number of each image's group.
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
    """The table of `set_floor`."""
    return pd.DataFrame(
        [(name, floor, len(codes), codes.max() + 1) for name, floor in floors.items()],
        columns=SET_FLOOR_COLUMNS,
    )


def set_metrics(size: int) -> list[str]:
    """Names of the distances between sets of images of a size, in their order."""
    levels = [f"swd_{level}" for level in swd_levels(size)]
    return ["swd", *levels, "spectrum_distance", "histogram_distance"]


def swd_levels(size: int) -> list[int]:
    """Sizes of the levels of the pyramid of an image, the finest first."""
    levels = [size]
    while (smaller := (levels[-1] + 1) // 2) >= SMALLEST_LEVEL:
        levels.append(smaller)
    return levels


def group_codes(groups: ArrayLike, targets: Images) -> NDArray[np.intp]:
    """The number of each image's group, from 0."""
    codes, _ = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) != len(targets):
        raise ValueError(f"{len(codes)} groups for {len(targets)} targets")
    return codes


def _by_group(
    predicted: Sketch, wanted: Sketch, codes: NDArray[np.intp]
) -> dict[str, Doubles]:
    """Metric → contributions of the groups."""
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
    """Metric → uncorrected distance of halves of the targets."""
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
    """Mean of each group's rows: N×D to G×D."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
    return sums / counts[:, np.newaxis]


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
        """Patches of every level and, unless these alone are wanted, the rest."""
        planes = np.moveaxis(images, -1, 1).astype(np.float32, order="C")
        planes /= 255
        sketch: Sketch = {
            f"swd_{band.shape[2]}": self._take_patches(band)
            for band in _laplacian_pyramid(planes)
        }
        if not self._patches_alone:
            luma = np.einsum("c,nc...->n...", _LUMA, planes)
            spectra = _log_spectra(luma)
            # the length of a difference is then its root mean square
            sketch["spectrum_distance"] = spectra / np.sqrt(spectra.shape[1])
            sketch["histogram_distance"] = _lab_distributions(images)
        return sketch

    def _take_patches(self, band: NDArray) -> NDArray:
        """N×P×3×7×7 of N×3×S×S."""
        windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), (2, 3))
        rows, columns = self._corners[band.shape[2]]
        return np.moveaxis(windows[:, :, rows, columns], 1, 2)


def _choose_corners(
    side: int, count: int, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of different places in a square; all of few."""
    places = side**2
    chosen = random.choice(places, min(count, places), replace=False)
    return np.divmod(chosen, side)


def _laplacian_pyramid(planes: NDArray) -> Iterator[NDArray]:
    """Bands of Burt & Adelson (1983), N×3×S×S, the finest first, the last low-pass.

    Mirrored at the edges as in the code of Karras et al. and in OpenCV, also for odd S.
    """
    for _ in swd_levels(planes.shape[2])[1:]:
        size = planes.shape[2]
        smaller = _reduce(_reduce(planes, 2), 3)
        yield planes - _expand(_expand(smaller, 2, size), 3, size)
        planes = smaller
    yield planes


def _reduce(planes: NDArray, axis: int) -> NDArray:
    """Every other pixel of the images smoothed by (1, 4, 6, 4, 1) / 16."""
    pixels = np.moveaxis(planes, axis, 0)
    rows = np.concatenate([pixels[2:0:-1], pixels, pixels[-2:-4:-1]])
    count = (len(pixels) + 1) // 2
    first, second, third, fourth, fifth = (
        rows[start : start + 2 * count - 1 : 2] for start in range(5)
    )
    smooth = (first + fifth + 4 * (second + fourth) + 6 * third) / np.float32(16)
    return np.moveaxis(smooth, 0, axis)


def _expand(planes: NDArray, axis: int, size: int) -> NDArray:
    """Twice the pixels, or one less; what lies between them by the same kernel."""
    pixels = np.moveaxis(planes, axis, 0)
    # Zeros between the pixels are mirrored, too: of an even size the last row is one.
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


def _lab_distributions(images: Images) -> NDArray:
    """Distribution functions of L*, a* and b* in steps of 1, each by 3: N×663."""
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
    """Mean over the directions, ×1,000: one value a group."""
    total, project = np.zeros(len(shares)), _projector(wanted)
    for ours, theirs in _integrals([project(predicted), project(wanted)], codes):
        total += wasserstein_contributions(ours - theirs, shares)
    return SCALE / PROJECTIONS * total


def _swd_floor(wanted: NDArray, codes: NDArray[np.intp], halves: Doubles) -> float:
    """Uncorrected distance of the halves, mean over directions, ×1,000."""
    distances = [
        np.abs(halves @ functions).sum(axis=1)
        for (functions,) in _integrals([_projector(wanted)(wanted)], codes)
    ]
    return SCALE * _mean(np.mean(distances, axis=0))


def _projector(wanted: NDArray) -> Callable[[NDArray], NDArray]:
    """Projects patches, normalised by the targets', along random directions.

    N×P×3×7×7 to N·P×directions.
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
    """Mean over the directions of the Wasserstein distance, ×1,000."""
    distances = np.abs(np.sort(a, axis=0) - np.sort(b, axis=0))
    return SCALE * float(distances.mean(dtype=np.float64))


def _integrals(
    sides: Sequence[NDArray], codes: NDArray[np.intp]
) -> Iterator[list[Doubles]]:
    """Of each direction and side, the groups' distribution functions over `BINS` bins.

    Args:
        sides: N·P×directions each, the P patches of an image one after the other.
        codes: The number of each image's group, N.

    Yields:
        The integral of each group's distribution function over each bin, G×BINS, for
        each side; the bins are the same for all sides.
    """
    owner = BINS * np.repeat(codes, len(sides[0]) // len(codes))
    groups, step = codes.max() + 1, 1 + len(sides[0]) // EDGES_FROM
    for columns in zip(*(np.ascontiguousarray(side.T) for side in sides), strict=True):
        # Of a part of the values; what lies beyond the ends belongs to the last bins.
        some = np.concatenate([column[::step] for column in columns])
        edges = np.quantile(some, np.linspace(0, 1, BINS + 1)).astype(np.float32)
        yield [_integrate(column, edges, owner, groups) for column in columns]


def _integrate(
    values: NDArray, edges: NDArray, owner: NDArray[np.intp], groups: int
) -> Doubles:
    """Integrals of the groups' distribution functions between edges: G×BINS."""
    bins = np.clip(np.searchsorted(edges, values, "right") - 1, 0, BINS - 1)
    cells = owner + bins
    counts, inside = (
        np.bincount(cells, weights, groups * BINS).reshape(groups, BINS)
        for weights in (None, edges[bins + 1] - values)
    )
    below = np.cumsum(counts, axis=1) - counts
    return (below * np.diff(edges) + inside) / counts.sum(axis=1, keepdims=True)
