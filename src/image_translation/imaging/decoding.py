"""Decode image files of any mode and orientation to 8-bit sRGB arrays.

Colour profiles are not applied: pixel values are treated as sRGB, as in the public code
that trains on such data sets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from image_translation.common.files import require_regular

FORMAT_SUFFIXES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "BMP": frozenset({".bmp"}),
        "GIF": frozenset({".gif"}),
        "JPEG": frozenset({".jfif", ".jpe", ".jpeg", ".jpg"}),
        "PNG": frozenset({".png"}),
        "PPM": frozenset({".pbm", ".pgm", ".ppm"}),
        "TIFF": frozenset({".tif", ".tiff"}),
        "WEBP": frozenset({".webp"}),
    }
)
"""Formats that are decoded, by content, with their file suffixes. Pillow supports
more, but some of them (EPS) start other programs, which untrusted data must not
trigger.
"""

IMAGE_SUFFIXES = frozenset().union(*FORMAT_SUFFIXES.values())
"""Lower-case suffixes of image files in a folder."""

MAX_PIXELS = 89_478_485
"""Maximum size of an image: Pillow's own limit, a quarter GiB of 24-bit pixels."""

_ORIENTATION = 0x0112  # EXIF tag

BACKGROUND = (255, 255, 255, 255)
"""Background of transparent pixels: white, like paper."""


class UnreadableImageError(ValueError):
    """An image file that cannot be decoded.

    Attributes:
        reason: A short reason, without the file's path.
        kind: Kind of the finding.
    """

    def __init__(
        self,
        reason: str,
        kind: Literal["unreadable", "truncated", "too_large"] = "unreadable",
    ) -> None:
        super().__init__(reason)
        self.reason, self.kind = reason, kind


@dataclass(frozen=True)
class Decoded:
    """An image with the storage properties of its file.

    Attributes:
        image: Upright, of mode ``L`` if the file is grey, else ``RGB``.
        format: A key of ``FORMAT_SUFFIXES``.
        mode: Pillow mode of the file, such as ``CMYK``; with ``+alpha`` if a palette or
            key colour makes pixels transparent.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    image: Image.Image
    format: str
    mode: str
    orientation: int


def decode_image(file: Path | BinaryIO) -> Image.Image:
    """Decode an image file to a Pillow image, as ``open_image`` does."""
    return open_image(file).image


def open_image(file: Path | BinaryIO) -> Decoded:
    """Decode an image file and return its storage properties.

    The EXIF orientation is applied. 16-bit grey is scaled to 8 bits, CMYK and palettes
    are converted, transparency is composited over ``BACKGROUND``. Only the first frame
    of an animation is read.

    Args:
        file: Path or content. The format is determined from the content, not from the
            suffix.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded, is truncated, or has
            more than ``MAX_PIXELS``.
    """
    try:
        with open_lazily(file) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            keyed = image.has_transparency_data and "A" not in image.mode
            return Decoded(
                image=_to_8_bit(ImageOps.exif_transpose(image)),
                format="JPEG" if image.format == "MPO" else str(image.format),
                mode=image.mode + ("+alpha" if keyed else ""),
                orientation=orientation if orientation in range(1, 9) else 1,
            )
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise nearly any exception on corrupt data
        raise explain(error) from error


def read_image(file: Path | BinaryIO) -> NDArray[np.uint8]:
    """Decode an image file as ``decode_image`` does; grey becomes three equal channels.

    Returns:
        uint8, H×W×3, sRGB.

    Raises:
        UnreadableImageError: As in ``decode_image``.
    """
    return np.array(decode_image(file).convert("RGB"))


def open_lazily(file: Path | BinaryIO) -> Image.Image:
    """Open an image file of a supported format and size, without decoding it.

    Raises:
        UnreadableImageError: The file is not such an image.
        OSError: The file cannot be opened, or is not a regular file.
    """
    if isinstance(file, Path):
        require_regular(file)
    try:
        image = Image.open(file, formats=tuple(FORMAT_SUFFIXES))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(_too_large(), "too_large") from error
    except UnidentifiedImageError as error:
        empty = isinstance(file, Path) and file.stat().st_size == 0
        raise UnreadableImageError("empty file" if empty else "not an image") from error
    # Pillow 13 maps an upright TIFF's size onto pixels that are stored rotated
    image.filename = ""
    if image.width * image.height > MAX_PIXELS:
        image.close()
        size = f"{image.width}×{image.height}"
        raise UnreadableImageError(f"{_too_large()}: {size}", "too_large")
    return image


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray(from_16_bit(np.asarray(image)))
    if image.mode == "F":
        raise UnreadableImageError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(paper, image)
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def from_16_bit(grey: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Convert 16-bit grey, 0 to 65535, to 8 bits; other values are clipped."""
    # 65535 / 255 = 257; rounded to nearest
    scaled = (np.clip(grey.astype(np.int64), 0, 65535) + 128) // 257
    return scaled.astype(np.uint8)


def explain(error: Exception) -> UnreadableImageError:
    """Convert a decoder's exception to an error with a short reason."""
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return UnreadableImageError("truncated", "truncated")
    if isinstance(error, OSError) and error.strerror:
        return UnreadableImageError(f"cannot be opened: {error.strerror}")
    return UnreadableImageError(f"damaged: {text}" if text else "damaged")


def _too_large() -> str:
    return f"more than {MAX_PIXELS:,} pixels"
