"""Perceptual hash and summary statistics of an image, for comparing thousands of
them.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL_SIZE = 16
"""Width and height of a thumbnail in pixels."""

_ANALYSED_SIZE = 64
_HASHED_SIZE = 32
_LOW_FREQUENCIES = 8


@dataclass(frozen=True)
class ImageStats:
    """Perceptual hash and summary statistics of an image.

    Attributes:
        hash: Perceptual hash, 64 bits; similar images differ in few bits.
        mirrored_hash: Hash of the image mirrored left to right.
        thumbnail: uint8, ``THUMBNAIL_SIZE``×``THUMBNAIL_SIZE``×3.
        lightness: Mean grey value, 0 to 255.
        contrast: Standard deviation of the grey values.
        chroma: Mean difference of the largest and the smallest channel: 0 for grey.
        strongest_chroma: 99th percentile of that difference: small only for images
            without colour.
        detail: Mean gradient magnitude of the grey values.
    """

    hash: int
    mirrored_hash: int
    thumbnail: NDArray[np.uint8]
    lightness: float
    contrast: float
    chroma: float
    strongest_chroma: float
    detail: float


def measure_image(image: Image.Image) -> ImageStats:
    """Measure an image of mode ``L`` or ``RGB``."""
    small = image.convert("RGB").resize((_ANALYSED_SIZE,) * 2, Image.Resampling.BOX)
    grey = np.asarray(small.convert("L"), np.float32)
    colours = np.asarray(small)
    chroma = colours.max(axis=2).astype(int) - colours.min(axis=2)
    low = _low_frequencies(small)
    # mirroring flips the sign of the odd horizontal frequencies
    signs = np.where(np.arange(_LOW_FREQUENCIES) % 2, -1, 1)
    thumbnail = small.resize((THUMBNAIL_SIZE,) * 2, Image.Resampling.BOX)
    return ImageStats(
        hash=_hash(low),
        mirrored_hash=_hash(low * signs),
        thumbnail=np.asarray(thumbnail),
        lightness=float(grey.mean()),
        contrast=float(grey.std()),
        chroma=float(chroma.mean()),
        strongest_chroma=float(np.percentile(chroma, 99)),
        detail=float(_edges(grey).mean()),
    )


def correlate_edges(first: Image.Image, second: Image.Image) -> float:
    """Correlation of the edges of two images, −1 to 1.

    Pearson's correlation of the gradient magnitudes of both, at 64×64 pixels: 1 for the
    same edges at the same positions, independent of colour; about 0 for different
    scenes, and for one scene that is shifted by more than a few hundredths of its
    width. 0 if an image has no edges.
    """
    size = (_ANALYSED_SIZE, _ANALYSED_SIZE)
    one, other = (
        _edges(
            np.asarray(
                image.convert("L").resize(size, Image.Resampling.BOX), np.float32
            )
        )
        for image in (first, second)
    )
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / norm if norm else 0.0


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.hypot(scipy.ndimage.sobel(grey, 0), scipy.ndimage.sobel(grey, 1))


def _low_frequencies(image: Image.Image) -> NDArray[np.float32]:
    size = (_HASHED_SIZE, _HASHED_SIZE)
    grey = image.convert("L").resize(size, Image.Resampling.BOX)
    spectrum = scipy.fft.dctn(np.asarray(grey, np.float32))
    return spectrum[:_LOW_FREQUENCIES, :_LOW_FREQUENCIES]


def _hash(low: NDArray[np.float32]) -> int:
    """Bits of the lowest frequencies that exceed their median; Zauner 2010, section
    3.2.
    """
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
