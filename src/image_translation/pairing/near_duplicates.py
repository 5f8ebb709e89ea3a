"""Near-duplicates: images that show the same thing, though their files differ."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.looks import Look

MAX_DISTANCE = 7
"""Most bits in which the perceptual hashes of near-duplicates differ."""

MAX_DIFFERENCE = 8.0
"""Most by which their thumbnails differ in the mean, of 255."""

MIN_CONTRAST = 4.0
"""Flatter images have no hash worth the name: they are never taken for duplicates."""

_BANDS = MAX_DISTANCE + 1
_ROWS_AT_ONCE = 512

Matches = NDArray[np.intp]
"""n×2 numbers of images."""


def find_near_duplicates(looks: Sequence[Look]) -> list[tuple[int, int]]:
    """Find images that look alike, also where one is mirrored.

    Hashes are cut into one band more than bits may differ, so that near-duplicates
    agree in at least one band: only images that share a band are compared. What the
    hashes suggest the thumbnails must confirm.

    Returns:
        Pairs of numbers, the smaller first.
    """
    count = len(looks)
    if count < 2:
        return []
    hashes = np.array(
        [look.hash for look in looks] + [look.mirrored_hash for look in looks],
        np.uint64,
    )
    numbers = np.flatnonzero([look.contrast >= MIN_CONTRAST for look in looks])
    entries = np.concatenate([numbers, numbers + count])
    thumbnails = np.stack([look.thumbnail for look in looks]).astype(np.int16)
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
    """Images of a bucket with each other, and with mirrored ones; those that match."""
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
