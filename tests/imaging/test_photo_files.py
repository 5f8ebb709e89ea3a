import io
import struct
from dataclasses import replace

import numpy as np
import PIL
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from image_translation.imaging.decoding import UnreadableImageError, read_image
from image_translation.imaging.photo_files import (
    FIRST_FRAME,
    METADATA_DROPPED,
    PROFILE_DROPPED,
    _storable,
    encode_photo,
    read_photo,
    result_suffix,
)


@pytest.fixture
def pixels():
    """Smooth colours, for little JPEG error."""
    coarse = np.random.default_rng(0).integers(30, 226, (3, 4, 3), dtype=np.uint8)
    return np.asarray(
        Image.fromarray(coarse).resize((40, 30), Image.Resampling.BICUBIC)
    )


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(data):
    return read_photo(io.BytesIO(data))


def written(photo):
    return Image.open(io.BytesIO(encode_photo(photo, 95)))


MODES = [
    ("1", "PNG"),
    ("L", "PNG"),
    ("L", "JPEG"),
    ("LA", "PNG"),
    ("P", "PNG"),
    ("P", "GIF"),
    ("RGB", "BMP"),
    ("RGB", "WEBP"),
    ("RGBA", "PNG"),
    ("RGBA", "TIFF"),
    ("CMYK", "JPEG"),
    ("CMYK", "TIFF"),
    pytest.param(
        "YCbCr",
        "TIFF",
        marks=pytest.mark.skipif(
            PIL.__version__ < "13", reason="Pillow 12 writes what it cannot read"
        ),
    ),
    ("I;16", "PNG"),
    ("I;16", "TIFF"),
    ("L", "PPM"),
]


def in_mode(pixels, mode):
    if mode == "I;16":
        grey = np.asarray(Image.fromarray(pixels).convert("L"))
        return Image.fromarray(grey.astype(np.uint16) * 257)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(("mode", "form"), MODES)
def test_any_mode_is_read_in_its_colours(pixels, mode, form):
    data = encode(in_mode(pixels, mode), form)
    photo = read(data)
    assert (photo.pixels.shape, photo.pixels.dtype) == ((30, 40, 3), np.uint8)
    np.testing.assert_array_equal(photo.pixels, read_image(io.BytesIO(data)))


@pytest.mark.parametrize(("mode", "form"), MODES)
def test_size_and_format_are_preserved(pixels, mode, form):
    photo = read(encode(in_mode(pixels, mode), form))
    image = written(photo)
    assert image.size == (40, 30)
    assert image.mode == ("RGBA" if "A" in mode else "RGB")
    assert image.format == ("PNG" if form == "GIF" else form)
    if form != "JPEG":
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), photo.pixels)


def test_alpha_and_its_colours_are_preserved(pixels):
    alpha = np.arange(1200, dtype=np.int64).reshape(30, 40).astype(np.uint8)
    for form in ("PNG", "WEBP", "TIFF"):
        exact = {"lossless": True, "exact": True} if form == "WEBP" else {}
        photo = read(encode(Image.fromarray(np.dstack([pixels, alpha])), form, **exact))
        again = np.asarray(written(photo))
        np.testing.assert_array_equal(again, np.dstack([pixels, alpha]))


def test_transparent_palette_colour_becomes_alpha():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    for form in ("PNG", "GIF"):
        photo = read(encode(image, form, transparency=0))
        assert photo.alpha.tolist() == [[0, 255]]
        assert photo.pixels[0, 1].tolist() == [40, 50, 60]


def test_alpha_is_written_as_png_if_the_format_has_none(pixels):
    photo = read(encode(in_mode(pixels, "RGB"), "BMP"))
    assert photo.result_format == "BMP"
    see_through = type(photo)(photo.pixels, photo.pixels[..., 0], "BMP", "RGBA")
    assert written(see_through).format == "PNG"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(pixels, orientation, form):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Leitz"
    photo = read(encode(Image.fromarray(pixels), form, exif=exif))
    assert photo.pixels.shape == ((40, 30, 3) if orientation > 4 else (30, 40, 3))
    image = written(photo)
    assert image.size == photo.pixels.shape[1::-1]
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert image.getexif()[ExifTags.Base.Make] == "Leitz"
    upright = read(encode_photo(photo, 95)).pixels
    assert upright.shape == photo.pixels.shape


def full_exif():
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    exif[ExifTags.Base.Copyright] = "CC0"
    exif[ExifTags.Base.Orientation] = 6
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    detail[ExifTags.Base.ExifImageWidth] = 40
    detail[ExifTags.Base.ColorSpace] = 0xFFFF
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_metadata_is_preserved(pixels, form):
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>a photo</x:xmpmeta>"
    options = {"exif": full_exif().tobytes(), "dpi": (300, 300)}
    if form in {"JPEG", "WEBP"}:
        options["xmp"] = xmp
    if form == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("Title", "Über")
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"] = chunks
    image = written(read(encode(Image.fromarray(pixels), form, **options)))
    exif = image.getexif()
    assert (
        exif[ExifTags.Base.Artist] == "Ada" and exif[ExifTags.Base.Copyright] == "CC0"
    )
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    assert detail[ExifTags.Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert detail[ExifTags.Base.ExifImageWidth] == 30  # it is upright now
    assert detail[ExifTags.Base.ColorSpace] == 1
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    if form != "TIFF":
        assert image.info["xmp"] == xmp
    if form != "WEBP":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    if form == "PNG":
        assert image.text["Title"] == "Über"


def test_xmp_of_a_tiff_is_preserved(pixels):
    first = read(encode(Image.fromarray(pixels), "JPEG", xmp=b"<x/>"))
    as_tiff = type(first)(first.pixels, None, "TIFF", "RGB", first.metadata)
    again = read(encode_photo(as_tiff, 95))
    assert again.metadata["xmp"] == b"<x/>"
    assert written(again).info["xmp"] == b"<x/>"


def swapped_profile():
    """An RGB profile whose red is sRGB's blue and vice versa."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = bytearray(srgb)
    count = int.from_bytes(data[128:132], "big")
    entries = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    data[entries[b"rXYZ"] : entries[b"rXYZ"] + 4] = b"bXYZ"
    data[entries[b"bXYZ"] : entries[b"bXYZ"] + 4] = b"rXYZ"
    return bytes(data).replace(b"s\0R\0G\0B", b"m\0i\0n\0e")


def test_profile_is_applied_and_replaced_by_srgb(pixels):
    data = encode(Image.fromarray(pixels), icc_profile=swapped_profile())
    photo = read(data)
    np.testing.assert_allclose(
        photo.pixels.astype(int), pixels[..., ::-1].astype(int), atol=2
    )
    image = written(photo)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    np.testing.assert_array_equal(np.asarray(image), photo.pixels)
    assert read(data).metadata == photo.metadata  # without a creation time


def test_srgb_profile_is_kept(pixels):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read(encode(Image.fromarray(pixels), icc_profile=srgb))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert written(photo).info["icc_profile"] == srgb


@pytest.mark.parametrize("profile", [b"no profile", swapped_profile()[:200]])
def test_broken_profile_is_dropped(pixels, profile):
    photo = read(encode(Image.fromarray(pixels), icc_profile=profile))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert "icc_profile" not in photo.metadata


def test_profile_of_other_channels_is_dropped(pixels):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    photo = read(encode(Image.fromarray(pixels), icc_profile=lab))
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_grey_file_with_a_colour_profile_is_read(pixels):
    grey = Image.fromarray(pixels).convert("L")
    photo = read(encode(grey, icc_profile=swapped_profile()))
    np.testing.assert_allclose(
        photo.pixels.astype(int), np.dstack([np.asarray(grey).astype(int)] * 3), atol=2
    )


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\nbroken"])
def test_invalid_image_is_rejected(data):
    with pytest.raises(UnreadableImageError):
        read(data)


def test_truncated_file_is_rejected(pixels):
    data = encode(Image.fromarray(np.tile(pixels, (9, 9, 1))), "JPEG")
    with pytest.raises(UnreadableImageError, match="truncated"):
        read(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("suffix", "form", "expected"),
    [
        (".JPEG", "JPEG", ".JPEG"),
        (".jpg", "PNG", ".png"),
        (".gif", "PNG", ".png"),
        (".pgm", "PPM", ".ppm"),
        (".tiff", "TIFF", ".tiff"),
        ("", "TIFF", ".tif"),
    ],
)
def test_result_suffix(suffix, form, expected):
    assert result_suffix(suffix, form) == expected


def jpeg_with_exif(image, *entries, detail=b""):
    """A JPEG file with an EXIF block of these entries, as cameras write them.

    Args:
        image: The picture.
        entries: Tag, type, count and four bytes of value.
        detail: What follows the block; an entry points to it by the offset 0x32.
    """
    body = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    body += b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    segment = b"Exif\0\0" + (body + bytes(4)).ljust(0x32, b"\0") + detail
    jpeg = encode(image, "JPEG", quality=95)
    return (
        jpeg[:2]
        + struct.pack(">2sH", b"\xff\xe1", len(segment) + 2)
        + segment
        + jpeg[2:]
    )


SIDEWAYS = 0x112, 3, 1, b"\6\0\0\0"
MAKER = 0x10F, 2, 4, b"Abc\0"
BEHIND = b"\x32\0\0\0"
UNWRITABLE = {
    "exposure": ((0x8769, 4, 1, BEHIND), struct.pack("<HHHII4s", 1, 0x9204, 10, 1, 0x44, b"") + struct.pack("<ii", -1, 0)),
    "position": ((0x8825, 4, 1, BEHIND), struct.pack("<HHHIHH", 1, 1, 3, 2, 78, 0)),
    "resolution": ((0x11A, 2, 3, b"72\0\0"), b""),
    "software": ((0x131, 5, 1, BEHIND), struct.pack("<II", 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNWRITABLE)
def test_photograph_is_read_without_the_exif_data_that_cannot_be_written(pixels, kind):
    entry, detail = UNWRITABLE[kind]
    entries = sorted((SIDEWAYS, MAKER, entry))
    turned = Image.fromarray(np.rot90(pixels))
    photo = read(jpeg_with_exif(turned, *entries, detail=detail))
    assert photo.pixels.shape == pixels.shape
    assert np.abs(photo.pixels - pixels.astype(int)).mean() < 3
    np.testing.assert_array_equal(
        read_image(io.BytesIO(jpeg_with_exif(turned, *entries, detail=detail))),
        photo.pixels,
    )
    assert photo.remarks == {METADATA_DROPPED}
    assert written(photo).getexif()[0x10F] == "Abc"


def test_metadata_that_the_format_cannot_store_are_dropped(pixels):
    exif = Image.Exif()
    exif[0x010E] = "long" * 20_000  # a JPEG segment has 64 KiB
    data = encode(Image.fromarray(pixels), "WEBP", exif=exif, lossless=True)
    assert not read(data).remarks
    photo = replace(
        read(data), format="JPEG", metadata=read(data).metadata | {"dpi": (72, 72)}
    )
    assert set(_storable(photo)) == {"dpi"}


def test_unusable_profile_is_remarked(pixels):
    photo = read(encode(Image.fromarray(pixels), icc_profile=b"no profile" * 20))
    assert photo.remarks == {PROFILE_DROPPED}
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_png_with_much_text_is_read_without_it(pixels):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("workflow", "{}" * 600_000, zip=True)
    photo = read(encode(Image.fromarray(pixels), pnginfo=text))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.remarks == {METADATA_DROPPED}


def test_frames_after_the_first_are_remarked(pixels):
    image = Image.fromarray(pixels)
    photo = read(encode(image, "TIFF", save_all=True, append_images=[image]))
    assert photo.remarks == {FIRST_FRAME}


def test_white_scales_deep_pixels():
    deep = Image.fromarray(np.array([[0, 4095]], np.uint16))
    photo = read_photo(io.BytesIO(encode(deep)), white=4095)
    assert photo.pixels[0, :, 0].tolist() == [0, 255]
