"""Read and write photographs with transparency, colour profile and metadata.

Networks take 8-bit sRGB pixels; everything else in the file is preserved for the
result.
"""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from image_translation.imaging.decoding import (
    FORMAT_SUFFIXES,
    UnreadableImageError,
    explain,
    from_16_bit,
    open_lazily,
)

logger = logging.getLogger(__name__)

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
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    format: str
    mode: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def result_format(self) -> str:
        """Format of the translation: that of the photograph, or PNG."""
        holds = _HOLDS_COLOUR if self.alpha is None else _HOLDS_ALPHA
        return self.format if self.format in holds else "PNG"

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Photo":
        """A copy with other pixels, uint8, H×W×3."""
        return replace(self, pixels=pixels)


def read_photo(file: Path | BinaryIO) -> Photo:
    """Decode a photograph with its metadata.

    The EXIF orientation is applied. A colour profile is applied and replaced by that of
    sRGB; an unusable profile is dropped, and the pixels are treated as sRGB. 16-bit
    pixels are converted to 8 bits. Only the first frame or page is read.

    Args:
        file: Path or content, of a format in ``FORMAT_SUFFIXES``.

    Raises:
        UnreadableImageError: The file cannot be opened or decoded, is truncated, or has
            more than ``MAX_PIXELS``.
    """
    try:
        with open_lazily(file) as image:
            form = "JPEG" if image.format == "MPO" else str(image.format)
            mode = image.mode
            ImageOps.exif_transpose(image, in_place=True)
            metadata = _read_metadata(image)
            colour, alpha = _split_alpha(image)
            if profile := image.info.get("icc_profile"):
                colour, written = _to_srgb(colour, profile)
                metadata |= {"icc_profile": written} if written else {}
            return Photo(np.array(colour.convert("RGB")), alpha, form, mode, metadata)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise nearly any exception on corrupt data
        raise explain(error) from error


def encode_photo(photo: Photo, quality: int) -> bytes:
    """Write a photograph in its ``result_format``, with its metadata.

    Args:
        photo: The photograph to write.
        quality: JPEG quality, 1 to 100, without chroma subsampling. The other formats
            are lossless.
    """
    image = Image.fromarray(photo.pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    form = photo.result_format
    file = io.BytesIO()
    image.save(file, form, **_options(form, quality), **_metadata_of(photo, form))
    return file.getvalue()


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


def _split_alpha(image: Image.Image) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """Colour in mode ``L``, ``RGB``, ``CMYK`` or one convertible to RGB, and alpha."""
    if image.mode.startswith("I"):
        return Image.fromarray(from_16_bit(np.asarray(image))), None
    if image.mode == "F":
        raise UnreadableImageError("floating-point pixels have no fixed range")
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
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logger.warning("Dropping an unusable colour profile: %s", error)
        return image, None
    return converted, target  # type: ignore[return-value]


def _srgb_profile() -> bytes:
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    # ICC.1 7.2.8: the creation time, which would differ between runs
    profile[24:36] = b"".join(n.to_bytes(2, "big") for n in (2000, 1, 1, 0, 0, 0))
    return bytes(profile)


def _read_metadata(image: Image.Image) -> dict[str, Any]:
    """Metadata to write back, of an image in upright orientation."""
    found: dict[str, Any] = {}
    exif = _read_exif(image)
    if exif:
        found["exif"] = exif
    xmp = image.info.get("xmp")
    if xmp:
        found["xmp"] = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    if dpi := image.info.get("dpi"):
        found["dpi"] = tuple(float(value) for value in dpi)
    if image.format == "JPEG" and (comment := image.info.get("comment")):
        found["comment"] = comment
    if image.format == "PNG":
        text = {
            name: value
            for name, value in getattr(image, "text", {}).items()
            if name != "XML:com.adobe.xmp" and not name.startswith("Raw profile")
        }
        found |= {"text": text} if text else {}
    return found


def _read_exif(image: Image.Image) -> bytes | None:
    exif = image.getexif()
    for tag in _DESCRIBES_STORAGE & set(exif):
        del exif[tag]
    if not exif:
        return None
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    width, height = image.size
    for tag, value in (
        (ExifTags.Base.ExifImageWidth, width),
        (ExifTags.Base.ExifImageHeight, height),
        (ExifTags.Base.ColorSpace, 1),  # sRGB
    ):
        if tag in detail:
            detail[tag] = value
    return exif.tobytes()
