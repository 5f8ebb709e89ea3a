"""Image files as 8-bit sRGB arrays, whatever mode and orientation they are stored in.

Colour profiles are not applied: pixel values are taken as sRGB, as the public code
that trains on such data sets takes them.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

IMAGE_SUFFIXES = frozenset(
    {
        ".bmp",
        ".gif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)
"""Suffixes, in lower case, by which files of a folder are taken for images."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are decoded, by content. Pillow knows more of them, some of which (EPS)
start other programs: nothing that untrusted data may choose."""

MAX_PIXELS = 89_478_485
"""Largest image that is decoded: Pillow's own limit, a quarter GiB of 24-bit pixels."""

BACKGROUND = (255, 255, 255, 255)
"""What transparent pixels are laid over: white, like paper."""


class UnreadableImageError(ValueError):
    """An image file that cannot be decoded.

    Attributes:
        reason: What is wrong with it, in a few words, without the file's path.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_image(path: Path) -> Image.Image:
    """Decode an image file for further work with Pillow.

    The EXIF orientation is applied. 16-bit grey is scaled to 8 bits, CMYK and palettes
    are converted, transparency is laid over ``BACKGROUND``. Of an animation the first
    frame is taken.

    Args:
        path: The file. Its format is told from its content, not from its suffix.

    Returns:
        The upright image, of mode ``L`` where the file is grey, else ``RGB``.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded, is truncated, or has
            more than ``MAX_PIXELS``.
    """
    try:
        with _open(path) as image:
            return _to_8_bit(ImageOps.exif_transpose(image))
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders meet damage with nearly any exception
        raise UnreadableImageError(_explain(error)) from error


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image file as ``decode_image`` does; grey becomes three equal channels.

    Returns:
        uint8, H×W×3, sRGB.

    Raises:
        UnreadableImageError: As in ``decode_image``.
    """
    return np.array(decode_image(path).convert("RGB"))


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(_too_large()) from error
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        raise UnreadableImageError("empty file" if empty else "not an image") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise UnreadableImageError(f"{_too_large()}: {image.width}×{image.height}")
    return image


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray(_from_16_bit(np.asarray(image)))
    if image.mode == "F":
        raise UnreadableImageError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(paper, image)
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def _from_16_bit(grey: NDArray[np.integer]) -> NDArray[np.uint8]:
    # 65535 / 255 = 257; rounded to nearest
    scaled = (np.clip(grey.astype(np.int64), 0, 65535) + 128) // 257
    return scaled.astype(np.uint8)


def _explain(error: Exception) -> str:
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened: {error.strerror}"
    return f"damaged: {text}" if text else "damaged"


def _too_large() -> str:
    return f"more than {MAX_PIXELS:,} pixels"
