"""Decode image files of any mode and orientation to 8-bit sRGB arrays.

Colour profiles are not applied: pixel values are treated as sRGB, as in the public code
that trains on such data sets.
"""

import io
import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from image_translation.common.files import require_regular

with suppress(ImportError):  # optional
    from pillow_heif import register_heif_opener

    register_heif_opener()

# Remarks of decoders on metadata are not about the pixels
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

logger = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT_SUFFIXES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "AVIF": frozenset({".avif"}),
        "BMP": frozenset({".bmp"}),
        "GIF": frozenset({".gif"}),
        "HEIF": frozenset({".heic", ".heif", ".hif"}),
        "JPEG": frozenset({".jfif", ".jpe", ".jpeg", ".jpg"}),
        "PNG": frozenset({".png"}),
        "PPM": frozenset({".pbm", ".pgm", ".ppm"}),
        "TIFF": frozenset({".tif", ".tiff"}),
        "WEBP": frozenset({".webp"}),
    }
)
"""Formats that are decoded, by content, with their file suffixes. Pillow supports
more, but some of them (EPS) start other programs, which untrusted data must not
trigger. HEIF needs the package pillow-heif.
"""

IMAGE_SUFFIXES = frozenset().union(*FORMAT_SUFFIXES.values())
"""Lower-case suffixes of image files in a folder."""

MAX_PIXELS = 89_478_485
"""Maximum size of an image: Pillow's own limit, a quarter GiB of 24-bit pixels."""

WHITE_16_BIT, WHITE_FLOAT = 65535.0, 1.0
"""White of 16-bit and of floating-point pixels, unless a parameter defines it."""

_OVERSHOOT = 0.05  # of white: floating-point pixels exceed it after resampling

_ORIENTATION = 0x0112  # EXIF tag
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_OTHER_ORDER = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": "RGB;16B" if sys.byteorder == "little" else "RGB;16L",
}
"""Pillow's raw modes of 16-bit colour, and those with the opposite byte order."""

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_PNG = 1 << 30  # size of a file that is read without its metadata

_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIF"
)
"""Formats by the brand in the first box of a file, ISO/IEC 23008-12."""

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
        frames: Number of frames or pages.
        brightest: Maximum value of more than 8 bits; None for 8 bits.
    """

    image: Image.Image
    format: str
    mode: str
    orientation: int
    frames: int = 1
    brightest: float | None = None


def decode_image(file: Path | BinaryIO, white: float | None = None) -> Image.Image:
    """Decode an image file to a Pillow image, as ``open_image`` does."""
    return open_image(file, white).image


def open_image(file: Path | BinaryIO, white: float | None = None) -> Decoded:
    """Decode an image file and return its storage properties.

    The EXIF orientation is applied. 16 bits and floating-point grey are scaled to 8 bits,
    CMYK and palettes are converted, transparency is composited over ``BACKGROUND``.
    Only the first frame of an animation is read. Damaged metadata are ignored.

    Args:
        file: Path or content. The format is determined from the content, not from the
            suffix.
        white: As in ``to_8_bit``.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded, is truncated, or has
            more than ``MAX_PIXELS``.
    """

    def read(image: Image.Image, source: Path | BinaryIO) -> Decoded:
        low_bytes = read_low_bytes(image, source)
        turned, orientation = upright(image)
        keyed = image.has_transparency_data and "A" not in image.mode
        deep = deep_values(turned, low_bytes)
        return Decoded(
            image=_to_8_bit(turned, deep, white),
            format=format_of(image),
            mode=image.mode + ("+alpha" if keyed else ""),
            orientation=orientation,
            frames=count_frames(image),
            brightest=None if deep is None else float(deep.max()),
        )

    return read_with(read, file)[0]


def read_with(
    read: Callable[[Image.Image, Path | BinaryIO], T], file: Path | BinaryIO
) -> tuple[T, bool]:
    """Open an image file, and apply a function that decodes it.

    Args:
        read: Decodes an opened image of a file; called again without the metadata of a
            PNG file that cannot be read with them.
        file: Path or content.

    Returns:
        The function's result, and whether metadata were ignored.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded.
    """
    try:
        with open_lazily(file) as image:
            return read(image, file), False
    except Exception as error:  # decoders raise nearly any exception on corrupt data
        failure = error if isinstance(error, UnreadableImageError) else explain(error)
        with suppress(Exception):
            if bare := _without_metadata(file):
                with open_lazily(bare) as image:
                    return read(image, bare), True
        raise failure from error


def _without_metadata(file: Path | BinaryIO) -> BinaryIO | None:
    """A PNG file's chunks of pixels, transparency and orientation; None for others."""
    if isinstance(file, Path):
        with require_regular(file).open("rb") as opened:
            return _without_metadata(opened)
    file.seek(0)
    if file.read(len(_PNG)) != _PNG:
        return None
    kept = io.BytesIO(_PNG)
    kept.seek(0, io.SEEK_END)
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4]) + 4, head[4:]  # with the checksum
        if kept.tell() + size > _MAX_PNG:
            return None
        if kind[:1].isupper() or kind in {b"tRNS", b"eXIf"}:
            kept.write(head + file.read(size))
        else:
            file.seek(size, io.SEEK_CUR)
    kept.seek(0)
    return kept


def format_of(image: Image.Image) -> str:
    """The format of an opened file, a key of ``FORMAT_SUFFIXES``."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def count_frames(image: Image.Image) -> int:
    """Number of frames or pages of a decoded file; 1 if it cannot be determined.

    The further images of JPEG files are previews and depth maps, which do not count.
    """
    if image.format == "MPO":
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # damage after the first frame
        return 1


def upright(image: Image.Image) -> tuple[Image.Image, int]:
    """Decode an opened image and turn it upright.

    Unlike ``ImageOps.exif_transpose``, this does not write EXIF data, which fails for
    some cameras' data.

    Returns:
        The image, and the EXIF orientation of the file, 1 to 8.
    """
    declared = _orientation(image)
    image.load()
    # Pillow turns TIFF files itself
    method = _TRANSPOSITIONS.get(_orientation(image))
    return (image if method is None else image.transpose(method)), declared


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data
        return 1
    return orientation if orientation in range(1, 9) else 1


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
        image = Image.open(file, formats=decodable_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(_too_large(), "too_large") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(_describe_unidentified(file)) from error
    # Pillow 13 maps an upright TIFF's size onto pixels that are stored rotated
    image.filename = ""
    if image.width * image.height > MAX_PIXELS:
        image.close()
        size = f"{image.width}×{image.height}"
        raise UnreadableImageError(f"{_too_large()}: {size}", "too_large")
    return image


@cache
def decodable_formats() -> tuple[str, ...]:
    """The formats in ``FORMAT_SUFFIXES`` that can be decoded here."""
    Image.init()
    return tuple(form for form in FORMAT_SUFFIXES if form in Image.OPEN)


def _describe_unidentified(file: Path | BinaryIO) -> str:
    """The reason why a file is not an image that can be decoded."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return _describe_unidentified(opened)
    file.seek(0)
    start = file.read(12)
    if not start:
        return "empty file"
    form = _BRANDS.get(start[8:12]) if start[4:8] == b"ftyp" else None
    if form is None:
        return "not an image"
    if features.check("avif") if form == "AVIF" else form in decodable_formats():
        return f"damaged {form}"
    package = " install the package pillow-heif, or" if form == "HEIF" else ""
    return f"{form}, which is not decoded:{package} convert it to JPEG or PNG"


def read_low_bytes(
    image: Image.Image, file: Path | BinaryIO
) -> NDArray[np.uint8] | None:
    """The low bytes of colour of 16 bits, upright; None for other images.

    Pillow decodes the high bytes only; with the other byte order, it decodes the low
    ones.

    Args:
        image: An opened image that is not decoded yet.
        file: Its file.
    """
    tiles = getattr(image, "tile", [])
    if not tiles or not all(_raw_mode(tile) in _OTHER_ORDER for tile in tiles):
        return None
    with open_lazily(file) as low:
        swapped = [
            tile._replace(args=(_OTHER_ORDER[_raw_mode(tile)], *_rest(tile)))
            for tile in tiles
        ]
        vars(low)["tile"] = swapped
        return np.array(upright(low)[0])


def _raw_mode(tile: Any) -> str:
    return tile.args if isinstance(tile.args, str) else tile.args[0]


def _rest(tile: Any) -> tuple[Any, ...]:
    return () if isinstance(tile.args, str) else tile.args[1:]


def deep_values(
    image: Image.Image, low_bytes: NDArray[np.uint8] | None
) -> NDArray[Any] | None:
    """The values of more than 8 bits of a decoded image; None for 8 bits.

    Args:
        image: The image.
        low_bytes: The result of ``read_low_bytes``.
    """
    if low_bytes is not None:
        return np.asarray(image).astype(np.uint16) << 8 | low_bytes
    return np.asarray(image) if image.mode.startswith(("I", "F")) else None


def _to_8_bit(
    image: Image.Image, deep: NDArray[Any] | None, white: float | None
) -> Image.Image:
    if deep is not None:
        return Image.fromarray(to_8_bit(deep, white))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(paper, image)
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def to_8_bit(values: NDArray[Any], white: float | None = None) -> NDArray[np.uint8]:
    """Convert 16-bit or floating-point values to 8 bits; 0 is black.

    Args:
        values: Of any shape.
        white: The value that becomes 255; higher ones are clipped. None: that of full
            16-bit values, or 1 for floating-point values, as in scikit-image.

    Raises:
        UnreadableImageError: A value is not a number, or, without ``white``, values are
            outside the usual range.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise UnreadableImageError("some pixels are infinite or not numbers")
    if white is None:
        white = WHITE_FLOAT if values.dtype.kind == "f" else WHITE_16_BIT
        if low < -_OVERSHOOT * white or high > (1 + _OVERSHOOT) * white:
            raise UnreadableImageError(
                f"pixels from {low:g} to {high:g} have no known range: set "
                "preparation.white to the value that is white"
            )
    scaled = values.astype(np.float32) * np.float32(255 / white)
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def explain(error: Exception) -> UnreadableImageError:
    """Convert a decoder's exception to an error with a short reason."""
    if isinstance(error, MemoryError):
        return UnreadableImageError("not enough memory")
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return UnreadableImageError("truncated", "truncated")
    if isinstance(error, OSError) and error.strerror:
        return UnreadableImageError(f"cannot be opened: {error.strerror}")
    logger.debug("Decoding failed", exc_info=error)
    return UnreadableImageError("damaged")


def _too_large() -> str:
    return f"more than {MAX_PIXELS:,} pixels"
