"""Near-duplicates: different files with similar images."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.image_stats import ImageStats

MAX_DISTANCE = 7
"""Maximum number of bits that differ between perceptual hashes of near-duplicates."""

MAX_DIFFERENCE = 8.0
"""Maximum mean difference of their thumbnails, of 255."""

MIN_CONTRAST = 4.0
"""Flatter images have no meaningful hash and are never near-duplicates."""

_BANDS = MAX_DISTANCE + 1
_ROWS_AT_ONCE = 512

Matches = NDArray[np.intp]
"""Indices of matching images, n×2."""


def find_near_duplicates(stats: Sequence[ImageStats]) -> list[tuple[int, int]]:
    """Find similar images, including mirrored ones.

    Hashes are cut into one more band than bits may differ, so near-duplicates agree in
    at least one band: only images that share a band are compared. Thumbnails must
    confirm the result of the hashes.

    Returns:
        Pairs of indices, the smaller first.
    """
    count = len(stats)
    if count < 2:
        return []
    hashes = np.array(
        [image.hash for image in stats] + [image.mirrored_hash for image in stats],
        np.uint64,
    )
    numbers = np.flatnonzero([image.contrast >= MIN_CONTRAST for image in stats])
    entries = np.concatenate([numbers, numbers + count])
    thumbnails = np.stack([image.thumbnail for image in stats]).astype(np.int16)
    found: set[tuple[int, int]] = set()
    for matches in _compare_bands(hashes, entries, count):
        found.update(_confirm(matches, thumbnails, count))
    return sorted(found)


def _compare_bands(
    hashes: NDArray[np.uint64], entries: NDArray[np.intp], count: int
) -> Iterator[Matches]:
    edges = np.linspace(0, 64, _BANDS + 1).astype(np.uint64)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        mask = (np.uint64(1) << (high - low)) - np.uint64(1)
        keys = (hashes[entries] >> low) & mask
        order = np.argsort(keys, kind="stable")
        cuts = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(entries[order], cuts):
            yield from _compare_bucket(hashes, bucket, count)


def _compare_bucket(
    hashes: NDArray[np.uint64], bucket: NDArray[np.intp], count: int
) -> Iterator[Matches]:
    """Compare the images of a bucket with each other and with mirrored ones."""
    upright = bucket[bucket < count]
    for start in range(0, len(upright), _ROWS_AT_ONCE):
        rows = upright[start : start + _ROWS_AT_ONCE]
        distance = np.bitwise_count(hashes[rows][:, None] ^ hashes[bucket][None])
        near = (distance <= MAX_DISTANCE) & (rows[:, None] < bucket[None] % count)
        first, second = np.nonzero(near)
        if len(first):
            yield np.stack([rows[first], bucket[second]], axis=1)


def _confirm(
    matches: Matches, thumbnails: NDArray[np.int16], count: int
) -> Iterator[tuple[int, int]]:
    for start in range(0, len(matches), _ROWS_AT_ONCE):
        first, second = matches[start : start + _ROWS_AT_ONCE].T
        other = thumbnails[second % count]
        is_mirrored = second >= count
        other[is_mirrored] = other[is_mirrored, :, ::-1]
        difference = np.abs(thumbnails[first] - other).mean(axis=(1, 2, 3))
        good = difference <= MAX_DIFFERENCE
        yield from zip(
            first[good].tolist(), (second[good] % count).tolist(), strict=True
        )
