"""Outliers: pairs that are unusual relative to all others, and faults of all pairs.

Outliers are relative to the data set: mismatched edges are reported only if the edges
of most pairs match, a grey target only if most have colour. Faults that all pairs share
are found by absolute limits. Small data sets have neither.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.decoding import WHITE_16_BIT, WHITE_FLOAT
from image_translation.imaging.image_stats import ImageStats
from image_translation.pairing.findings import Observation
from image_translation.pairing.inspection import InspectedPair, same_shape

MIN_PAIRS = 10
"""With fewer pairs, no pair is compared with the majority."""

MOST = 0.8
"""Minimum share of pairs for a property to be typical of the data."""

COLOURLESS = 10.0
"""Maximum channel difference of an image without colour, of 255: JPEG leaves some."""

_ALIGNED = 0.5  # median edge correlation of aligned data
_DROP = 0.35  # minimum drop of a correlation below that median
_DEVIATIONS = 6.0  # below that median, in robust standard deviations
_UNRELATED = 0.15  # median edge correlation of different scenes: 0.02 to 0.11; of photos and their edges: 0.22
_ONE_SIDED = 0.1  # minimum share of pairs whose images declare different rotations
_DARK = 0.5  # maximum of all values, relative to white, of which the top bit is unused
_NARROW = 4.0  # ratio of the long to the short edge
_FAR = 4.0  # ratio to the median short edge
_SWAP_MARGIN = 0.5  # of the typical difference between input and target
_CONSISTENT = 0.9  # share of pairs in which a difference has the same sign

Found = Iterator[tuple[int, Observation]]

_FEATURES: Sequence[Callable[[ImageStats], float]] = (
    lambda stats: stats.chroma,
    lambda stats: stats.detail,
    lambda stats: stats.contrast,
    lambda stats: stats.lightness,
)
_MIN_DIFFERENCES = (8.0, 8.0, 8.0, 8.0)  # below which input and target count as alike


def find_outliers(pairs: Sequence[InspectedPair], white: float | None = None) -> Found:
    """Find pairs that are unusual relative to the others, and faults of all pairs.

    Args:
        pairs: Pairs with readable files.
        white: ``preparation.white``.

    Yields:
        The index of a pair, and an observation.
    """
    yield from _find_repeated(pairs)
    yield from _find_odd_sizes(pairs)
    if len(pairs) >= MIN_PAIRS:
        yield from _find_colourless(pairs)
        yield from _find_misaligned(pairs)
        yield from _find_swapped(pairs)
        yield from _find_unrelated(pairs)
        yield from _find_one_sided_orientation(pairs)
        if white is None:
            yield from _find_unused_range(pairs)


def _find_repeated(pairs: Sequence[InspectedPair]) -> Found:
    """One target with several inputs, and vice versa."""
    rows_by_kind = {
        "repeated_target": [(p.target.pixels, p.input.pixels) for p in pairs],
        "repeated_input": [(p.input.pixels, p.target.pixels) for p in pairs],
    }
    for kind, rows in rows_by_kind.items():
        partners = defaultdict(set)
        for one, other in rows:
            partners[one].add(other)
        for number, (one, _) in enumerate(rows):
            if len(partners[one]) > 1:
                yield number, Observation(kind, f"in {len(partners[one])} pairs")


def _find_odd_sizes(pairs: Sequence[InspectedPair]) -> Found:
    sizes = [pair.target.size or (1, 1) for pair in pairs]
    shorts = np.array([min(size) for size in sizes])
    typical = float(np.median(shorts)) if sizes else 0.0
    common = _most_common_shape(sizes)
    for number, (width, height) in enumerate(sizes):
        text = f"{width}×{height}"
        is_narrow = max(width, height) > _NARROW * min(width, height)
        is_far = not typical / _FAR <= min(width, height) <= typical * _FAR
        if is_narrow or (is_far and len(pairs) >= MIN_PAIRS):
            yield number, Observation("extreme_size", text)
        if common and not same_shape((width, height), common):
            usual = f"{common[0]}×{common[1]}"
            yield number, Observation("odd_size", f"{text}, most are {usual}")
        elif width != height:
            yield number, Observation("not_square", text)


def _most_common_shape(sizes: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The size whose aspect ratio most images have, if there is one."""
    if len(sizes) < MIN_PAIRS:
        return None
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for size in sizes:
        counts[size] += 1
    usual = max(counts, key=lambda size: (counts[size], size))
    alike = sum(count for size, count in counts.items() if same_shape(size, usual))
    return usual if alike >= MOST * len(sizes) else None


def _find_colourless(pairs: Sequence[InspectedPair]) -> Found:
    targets = [pair.target.stats for pair in pairs]
    chroma = np.array(
        [stats.strongest_chroma if stats else np.inf for stats in targets]
    )
    is_grey = chroma < COLOURLESS
    if is_grey.mean() <= 1 - MOST:
        for number in np.flatnonzero(is_grey).tolist():
            yield number, Observation("colourless_target")


def _find_misaligned(pairs: Sequence[InspectedPair]) -> Found:
    correlations = [pair.edge_correlation for pair in pairs]
    known = np.array([c for c in correlations if c is not None])
    if len(known) < MIN_PAIRS or np.median(known) < _ALIGNED:
        return
    median = float(np.median(known))
    deviation = 1.4826 * float(np.median(np.abs(known - median)))
    lowest = median - max(_DROP, _DEVIATIONS * deviation)
    for number, correlation in enumerate(correlations):
        if correlation is not None and correlation < lowest:
            text = f"edges correlate by {correlation:.2f}, usually by {median:.2f}"
            yield number, Observation("misaligned", text)


def _find_unrelated(pairs: Sequence[InspectedPair]) -> Found:
    known = [p.edge_correlation for p in pairs if p.edge_correlation is not None]
    if len(known) < MIN_PAIRS or (median := float(np.median(known))) >= _UNRELATED:
        return
    text = f"the median correlation of edges is {median:.2f}"
    for number in range(len(pairs)):
        yield number, Observation("unrelated", text)


def _find_one_sided_orientation(pairs: Sequence[InspectedPair]) -> Found:
    """Pairs with different rotations, unless their images agree after turning."""
    found = [
        (number, pair.edge_correlation)
        for number, pair in enumerate(pairs)
        if pair.input.orientation != pair.target.orientation
    ]
    if len(found) < max(MIN_PAIRS, _ONE_SIDED * len(pairs)):
        return
    median = float(np.median([correlation or 0.0 for _, correlation in found]))
    if median < _UNRELATED:
        text = f"the median correlation of edges is {median:.2f}"
        for number, _ in found:
            yield number, Observation("one_sided_orientation", text)


def _find_unused_range(pairs: Sequence[InspectedPair]) -> Found:
    """10 to 14 bits in files of 16 bits, or low floating-point values, on one side."""
    for role in ("input", "target"):
        values = [getattr(pair, role).brightest for pair in pairs]
        deep = [number for number, value in enumerate(values) if value is not None]
        brightest = max((values[number] for number in deep), default=WHITE_16_BIT)
        usual = WHITE_16_BIT if brightest > WHITE_FLOAT else WHITE_FLOAT
        if not 0 < brightest <= _DARK * usual:
            continue
        bits = int(brightest).bit_length()
        white = 2**bits - 1 if bits else brightest
        text = (
            f"the brightest value of all {role}s is {brightest:g} of {usual:g}; "
            f"possibly preparation.white={white:g}"
        )
        for number in deep:
            yield number, Observation("unused_range", text)


def _find_swapped(pairs: Sequence[InspectedPair]) -> Found:
    """Pairs whose images differ like those of most pairs, with the opposite sign.

    Only properties in which targets differ from inputs in the same direction for nearly
    all pairs are compared; all of them must indicate a swapped pair.
    """
    differences = np.array([_differ(pair) for pair in pairs])
    typical = np.median(differences, axis=0)
    agreeing = (np.sign(differences) == np.sign(typical)).mean(axis=0)
    telling = (np.abs(typical) >= _MIN_DIFFERENCES) & (agreeing >= _CONSISTENT)
    if not telling.any():
        return
    relative: NDArray[np.floating] = differences[:, telling] / typical[telling]
    for number in np.flatnonzero((relative <= -_SWAP_MARGIN).all(axis=1)).tolist():
        yield number, Observation("swapped")


def _differ(pair: InspectedPair) -> list[float]:
    """Difference of target and input in each property."""
    if pair.input.stats is None or pair.target.stats is None:
        return [0.0] * len(_FEATURES)
    return [
        feature(pair.target.stats) - feature(pair.input.stats) for feature in _FEATURES
    ]
