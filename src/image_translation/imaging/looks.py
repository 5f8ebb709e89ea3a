"""What an image looks like, in a few numbers: enough to compare thousands of them."""

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
class Look:
    """How an image looks.

    Attributes:
        hash: Perceptual hash, 64 bits; images that look alike differ in few of them.
        mirrored_hash: That of the image mirrored left to right.
        thumbnail: uint8, ``THUMBNAIL_SIZE``×``THUMBNAIL_SIZE``×3.
        lightness: Mean grey value, 0 to 255.
        contrast: Standard deviation of the grey values.
        chroma: Mean difference of the largest and the smallest channel: 0 for grey.
        strongest_chroma: Its 99th percentile: small only where nothing has colour.
        detail: Mean magnitude of the grey values' gradient.
    """

    hash: int
    mirrored_hash: int
    thumbnail: NDArray[np.uint8]
    lightness: float
    contrast: float
    chroma: float
    strongest_chroma: float
    detail: float


def look_at(image: Image.Image) -> Look:
    """Look at an image, of mode ``L`` or ``RGB``."""
    small = image.convert("RGB").resize((_ANALYSED_SIZE,) * 2, Image.Resampling.BOX)
    grey = np.asarray(small.convert("L"), np.float32)
    colours = np.asarray(small)
    chroma = colours.max(axis=2).astype(int) - colours.min(axis=2)
    low = _low_frequencies(small)
    # mirroring changes the sign of the odd horizontal frequencies
    signs = np.where(np.arange(_LOW_FREQUENCIES) % 2, -1, 1)
    thumbnail = small.resize((THUMBNAIL_SIZE,) * 2, Image.Resampling.BOX)
    return Look(
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
    """How well the edges of two images lie on each other, −1 to 1.

    Pearson's correlation of the gradient magnitudes of both, at 64×64 pixels: 1 for the
    same edges in the same places, whatever the colours; about 0 for different scenes,
    and for one scene that is moved by more than a few hundredths of its width. 0 where
    an image has no edges.
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
    """Which of the lowest frequencies exceed their median; Zauner 2010, section 3.2."""
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
