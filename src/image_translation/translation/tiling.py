"""Run a network of fixed size on images of any size: overlapping, blended tiles."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def place_tiles(length: int, tile: int, overlap: float) -> list[int]:
    """Start positions of tiles, evenly spaced from border to border.

    Args:
        length: Length of the image, at least ``tile``.
        tile: Length of a tile.
        overlap: Minimum share of a tile that neighbours have in common.

    >>> place_tiles(100, 40, 0.25)
    [0, 30, 60]
    """
    room = length - tile
    if room <= 0:
        return [0]
    step = max(1, tile - round(tile * overlap))
    count = math.ceil(room / step) + 1
    return [round(index * room / (count - 1)) for index in range(count)]


def ramp(tile: int, overlap: float) -> Floats:
    """Weights along a tile: 1 inside, falling to 0 towards its neighbours.

    The ramps are sin², those of a Hann window: the ramps of two neighbours add up to 1.
    """
    width = round(tile * overlap)
    rise = np.sin(np.pi / 2 * (np.arange(width) + 0.5) / max(width, 1)) ** 2
    weights = np.ones(tile)
    weights[:width] = rise
    weights[tile - width :] = np.minimum(weights[tile - width :], rise[::-1])
    return weights.astype(np.float32)


def translate_tiles(
    translate: Callable[[Pixels], Pixels], image: Pixels, tile: int, overlap: float
) -> Pixels:
    """Translate an image tile by tile and blend the overlaps.

    Only the tiles of one row are in memory at a time. An image smaller than a tile is
    padded by reflection, and the result is cropped to its size.

    Args:
        translate: Maps tiles, uint8, N×T×T×3, to the same shape.
        image: uint8, H×W×3.
        tile: T.
        overlap: Share of a tile that neighbours have in common, up to a half.

    Returns:
        uint8, H×W×3.
    """
    height, width = image.shape[:2]
    padded = _reflect(image, tile)
    result = np.empty_like(padded)
    for top, rows in _blend_rows(translate, padded, tile, overlap):
        result[top : top + len(rows)] = np.rint(rows).astype(np.uint8)
    top, left = (
        (p - s) // 2 for p, s in zip(padded.shape, (height, width), strict=False)
    )
    return result[top : top + height, left : left + width]


def _reflect(image: Pixels, tile: int) -> Pixels:
    missing = [max(0, tile - side) for side in image.shape[:2]]
    if not any(missing):
        return image
    borders = [(gap // 2, gap - gap // 2) for gap in missing]
    return np.pad(image, [*borders, (0, 0)], mode="symmetric")


def _blend_rows(
    translate: Callable[[Pixels], Pixels], image: Pixels, tile: int, overlap: float
) -> Iterator[tuple[int, Floats]]:
    """Finished rows from top to bottom: their start, and float32, n×W×3."""
    height, width = image.shape[:2]
    weights = ramp(tile, overlap)
    tops, lefts = (place_tiles(side, tile, overlap) for side in (height, width))
    total = np.zeros(width, np.float32)
    for left in lefts:
        total[left : left + tile] += weights
    sums = np.zeros((tile, width, 3), np.float32)
    shares = np.zeros((tile, 1, 1), np.float32)
    for top, following in zip(tops, [*tops[1:], height], strict=True):
        tiles = np.stack([image[top : top + tile, x : x + tile] for x in lefts])
        row = np.zeros_like(sums)
        for left, translated in zip(lefts, translate(tiles), strict=True):
            row[:, left : left + tile] += weights[:, None] * translated
        sums += weights[:, None, None] * row / total[:, None]
        shares += weights[:, None, None]
        done = min(following - top, tile)
        yield top, sums[:done] / shares[:done]
        for buffer in (sums, shares):
            buffer[: tile - done] = buffer[done:].copy()
            buffer[tile - done :] = 0
