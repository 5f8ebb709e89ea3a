"""Read and write photographs with transparency, colour profile and metadata.

Networks take 8-bit sRGB pixels; everything else in the file is preserved for the
result.
"""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from image_translation.imaging.decoding import (
    FORMAT_SUFFIXES,
    count_frames,
    deep_values,
    format_of,
    read_low_bytes,
    read_with,
    to_8_bit,
    upright,
)

FIRST_FRAME = "only the first frame or page is used"
METADATA_DROPPED = "metadata that cannot be written are dropped"
PROFILE_DROPPED = "an unusable colour profile is dropped"

_HOLDS_COLOUR = frozenset({"BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP"})
_HOLDS_ALPHA = frozenset({"PNG", "TIFF", "WEBP"})

_DESCRIBES_STORAGE = frozenset(
    {254, 255, *range(256, 267), 273, 274, *range(277, 280), 284, *range(317, 326)}
    | {330, 332, 334, 336, 338, 339, 347, *range(512, 522), *range(529, 533)}
    | {700, 33723, 34377, 34675}
)
"""TIFF tags that describe the storage of pixels, or data that is preserved elsewhere:
they apply to the file that was read, not to the one that is written."""

_XMP = 700  # TIFF tag

_DOT = np.zeros((1, 1, 3), np.uint8)

_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True)
class Photo:
    """A photograph with the metadata of its file.

    Attributes:
        pixels: uint8, H×W×3, sRGB, upright. Grey has three equal channels.
        alpha: uint8, H×W, or None if nothing is transparent.
        format: A key of ``FORMAT_SUFFIXES``.
        mode: Pillow mode of the file, such as ``CMYK``.
        metadata: Save options of Pillow: ``exif`` (without orientation), ``xmp``,
            ``icc_profile``, ``dpi``, ``comment``, ``text``, as far as present.
        remarks: What of the file is not preserved.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    format: str
    mode: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    remarks: frozenset[str] = frozenset()

    @property
    def result_format(self) -> str:
        """Format of the translation: that of the photograph, or PNG."""
        holds = _HOLDS_COLOUR if self.alpha is None else _HOLDS_ALPHA
        return self.format if self.format in holds else "PNG"

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Photo":
        """A copy with other pixels, uint8, H×W×3."""
        return replace(self, pixels=pixels)


def read_photo(file: Path | BinaryIO, white: float | None = None) -> Photo:
    """Decode a photograph with its metadata.

    The EXIF orientation is applied. A colour profile is applied and replaced by that of
    sRGB; an unusable profile is dropped, and the pixels are treated as sRGB. 16-bit and
    floating-point pixels are converted to 8 bits. Only the first frame or page is read.
    Metadata that the result's format cannot store are dropped.

    Args:
        file: Path or content, of a format in ``FORMAT_SUFFIXES``.
        white: As in ``to_8_bit``.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded, is truncated, or has
            more than ``MAX_PIXELS``.
    """

    def read(image: Image.Image, source: Path | BinaryIO) -> Photo:
        low_bytes = read_low_bytes(image, source)
        turned, _ = upright(image)
        metadata, remarks = _read_metadata(image, turned.size)
        deep = deep_values(turned, low_bytes)
        if deep is not None:
            turned = Image.fromarray(to_8_bit(deep, white))
        colour, alpha = _split_alpha(turned)
        if profile := image.info.get("icc_profile"):
            colour, written = _to_srgb(colour, profile)
            if written:
                metadata["icc_profile"] = written
            else:
                remarks.add(PROFILE_DROPPED)
        pixels = np.array(colour.convert("RGB"))
        if count_frames(image) > 1:
            remarks.add(FIRST_FRAME)
        form = format_of(image)
        return Photo(pixels, alpha, form, image.mode, metadata, frozenset(remarks))

    photo, is_bare = read_with(read, file)
    stored = _storable(photo)
    if is_bare or len(stored) < len(photo.metadata):
        return replace(
            photo, metadata=stored, remarks=photo.remarks | {METADATA_DROPPED}
        )
    return photo


def encode_photo(photo: Photo, quality: int) -> bytes:
    """Write a photograph in its ``result_format``, with its metadata.

    Args:
        photo: The photograph to write.
        quality: JPEG quality, 1 to 100, without chroma subsampling. The other formats
            are lossless.
    """
    return _save(photo, photo.result_format, quality)


def result_suffix(suffix: str, form: str) -> str:
    """A file suffix for a format; keeps the given suffix if it fits.

    >>> result_suffix(".JPG", "JPEG"), result_suffix(".gif", "PNG")
    ('.JPG', '.png')
    >>> result_suffix(".pgm", "PPM")
    '.ppm'
    """
    greyish = {".pbm", ".pgm"}  # by convention, these contain no colour
    if suffix.lower() in FORMAT_SUFFIXES[form] - greyish:
        return suffix
    return {"JPEG": ".jpg", "TIFF": ".tif"}.get(form, f".{form.lower()}")


def _storable(photo: Photo) -> dict[str, Any]:
    """The metadata that can be written in the format of the result."""

    def is_storable(metadata: Mapping[str, Any]) -> bool:
        dot = replace(photo, pixels=_DOT, alpha=None, metadata=metadata)
        try:
            _save(dot, photo.result_format, 1)
        except Exception:  # encoders raise nearly any exception on unusual values
            return False
        return True

    if is_storable(photo.metadata):
        return dict(photo.metadata)
    return {k: v for k, v in photo.metadata.items() if is_storable({k: v})}


def _save(photo: Photo, form: str, quality: int) -> bytes:
    image = Image.fromarray(photo.pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    file = io.BytesIO()
    image.save(file, form, **_options(form, quality), **_metadata_of(photo, form))
    return file.getvalue()


def _options(form: str, quality: int) -> dict[str, Any]:
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": "4:4:4"},
        "PNG": {"compress_level": 4},
        # the lowest effort: the only fast lossless setting
        "WEBP": {"lossless": True, "exact": True, "method": 0, "quality": 0},
    }
    return options.get(form, {})


def _metadata_of(photo: Photo, form: str) -> dict[str, Any]:
    kept = dict(photo.metadata)
    text = kept.pop("text", {})
    if form == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for name, value in text.items():
            chunks.add_itxt(name, value)
        if "xmp" in kept:
            chunks.add_itxt("XML:com.adobe.xmp", kept["xmp"].decode("utf-8", "replace"))
        kept["pnginfo"] = chunks
    if form == "TIFF" and "xmp" in kept:
        exif = Image.Exif()
        exif.load(kept.get("exif", b""))
        exif[_XMP] = kept.pop("xmp")
        kept["exif"] = exif
    return kept


def _split_alpha(
    image: Image.Image,
) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """Colour in mode ``L``, ``RGB``, ``CMYK`` or one convertible to RGB, and alpha."""
    if image.mode == "1":
        return image.convert("L"), None
    if not image.has_transparency_data:
        return image.convert("RGB") if image.mode == "P" else image, None
    grey = image.mode in {"L", "LA", "La"}
    alike = image.convert("LA" if grey else "RGBA")
    alpha = np.array(alike.getchannel("A"))
    return alike.convert("L" if grey else "RGB"), alpha


def _to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes | None]:
    """The image in sRGB, and the sRGB profile; None if the profile is unusable."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip())
        if image.mode == "L" and mode == "RGB":
            image = image.convert("RGB")
        if mode != image.mode:
            raise ImageCms.PyCMSError(f"a profile of {mode} does not fit {image.mode}")
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return image, profile
        target = _srgb_profile()
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.ImageCmsProfile(io.BytesIO(target)),
            outputMode="RGB",
            # preserves black, which relative colorimetry does not
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # a damaged profile
        return image, None
    return converted, target  # type: ignore[return-value]


def _srgb_profile() -> bytes:
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    # ICC.1 7.2.8: the creation time, which would differ between runs
    profile[24:36] = b"".join(n.to_bytes(2, "big") for n in (2000, 1, 1, 0, 0, 0))
    return bytes(profile)


def _read_metadata(
    image: Image.Image, size: tuple[int, int]
) -> tuple[dict[str, Any], set[str]]:
    """Metadata to write back with upright pixels of a size, and remarks."""
    found: dict[str, Any] = {}
    remarks: set[str] = set()
    for name, read in _METADATA.items():
        try:
            value, is_whole = read(image, size)
        except Exception:  # Pillow raises nearly any exception on malformed metadata
            value, is_whole = None, False
        if value:
            found[name] = value
        if not is_whole:
            remarks.add(METADATA_DROPPED)
    return found, remarks


def _read_exif(image: Image.Image, size: tuple[int, int]) -> tuple[bytes | None, bool]:
    """EXIF data, and whether all tags can be written."""
    exif = image.getexif()
    for tag in _DESCRIBES_STORAGE & set(exif):
        del exif[tag]
    if not exif:
        return None, True
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    for tag, value in (
        (ExifTags.Base.ExifImageWidth, size[0]),
        (ExifTags.Base.ExifImageHeight, size[1]),
        (ExifTags.Base.ColorSpace, 1),  # sRGB
    ):
        if tag in detail:
            detail[tag] = value
    try:
        return exif.tobytes(), True
    except Exception:  # values of a type that Pillow reads, but does not write
        for pointer in (None, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            _drop_unwritable(exif, pointer)
        return exif.tobytes(), False


def _drop_unwritable(exif: Image.Exif, pointer: int | None) -> None:
    """Remove the tags of a block of EXIF data that cannot be written.

    Args:
        exif: The data.
        pointer: The tag that points to the block; None for the first one.
    """
    block = exif if pointer is None else exif.get_ifd(pointer)
    for tag in set(block) - {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}:
        alone = Image.Exif()
        alone.update(
            {tag: block[tag]} if pointer is None else {pointer: {tag: block[tag]}}
        )
        try:
            alone.tobytes()
        except Exception:  # as in _read_exif
            del block[tag]


def _read_xmp(image: Image.Image, _: object) -> tuple[bytes | None, bool]:
    xmp = image.info.get("xmp") or b""
    data = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    # the pixels are upright
    return re.sub(rb"(tiff:Orientation(?:=\"|>))[0-9]", rb"\g<1>1", data), True


def _read_dpi(image: Image.Image, _: object) -> tuple[tuple[float, ...], bool]:
    return tuple(float(value) for value in image.info.get("dpi", ())), True


def _read_comment(image: Image.Image, _: object) -> tuple[object, bool]:
    return image.info.get("comment") if image.format == "JPEG" else None, True


def _read_text(image: Image.Image, _: object) -> tuple[dict[str, str], bool]:
    found = getattr(image, "text", {}) if image.format == "PNG" else {}
    return {
        name: value
        for name, value in found.items()
        if name != "XML:com.adobe.xmp" and not name.startswith("Raw profile")
    }, True


_METADATA: Mapping[str, Callable[[Image.Image, tuple[int, int]], tuple[Any, bool]]] = {
    "exif": _read_exif,
    "xmp": _read_xmp,
    "dpi": _read_dpi,
    "comment": _read_comment,
    "text": _read_text,
}
"""Functions that read one kind of metadata; they also return whether it is whole."""
