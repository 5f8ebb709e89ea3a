import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from image_translation.imaging import decoding
from image_translation.imaging.decoding import (
    UnreadableImageError,
    decode_image,
    open_image,
    read_image,
)
from image_translation.imaging.photo_files import read_photo


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def save(array: np.ndarray, path: Path, mode: str = "RGB", **options) -> Path:
    Image.fromarray(array).convert(mode).save(path, **options)
    return path


def test_rgb_round_trip(tmp_path, noise):
    read = read_image(save(noise, tmp_path / "a.png"))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, noise)


def test_array_is_writable(tmp_path, noise):
    assert read_image(save(noise, tmp_path / "a.png")).flags.writeable


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "PA"])
def test_any_mode_is_converted_to_three_channels(tmp_path, noise, mode):
    suffix = "tif" if mode == "PA" else "png"
    read = read_image(
        save(noise, tmp_path / f"a.{suffix}", "P" if mode == "PA" else mode)
    )
    assert read.shape == (40, 60, 3)
    if mode in {"L", "LA"}:
        expected = np.asarray(Image.fromarray(noise).convert("L"))
        np.testing.assert_array_equal(read, np.dstack([expected] * 3))


def test_transparency_is_composited_over_white(tmp_path):
    pixels = np.array([[[255, 0, 0, 0], [0, 0, 0, 128], [9, 8, 7, 255]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.tolist() == [[[255, 255, 255], [127, 127, 127], [9, 8, 7]]]


def test_transparent_palette_is_composited_over_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255] * 3, [40, 50, 60]]]


def test_cmyk_is_converted(tmp_path):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    cmyk.save(tmp_path / "a.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "a.jpg")[8, 8]
    assert red > 240
    assert max(green, blue) < 15


def test_16_bit_grey_is_scaled_to_8_bits(tmp_path):
    values = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.shape == (1, 5, 3)
    assert read[0, :, 1].tolist() == [0, 0, 1, 100, 255]


def test_floating_point_grey_is_scaled_to_8_bits(tmp_path):
    values = np.array([[-0.01, 0, 0.5, 1, 1.01]], np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("values", [[0, 255.0], [-1.0, 1], [0, 70_000]])
def test_values_of_unknown_range_need_a_white(tmp_path, values):
    kind = np.float32 if isinstance(sum(values), float) else np.int32
    Image.fromarray(np.array([values], kind)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match=r"pixels from .*preparation\.white"):
        read_image(tmp_path / "a.tif")
    read = decode_image(tmp_path / "a.tif", white=max(values))
    assert np.asarray(read).tolist() == [[0, 255]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_without_a_value_are_named(tmp_path, value):
    Image.fromarray(np.array([[0, value]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match="infinite or not numbers"):
        open_image(tmp_path / "a.tif", white=1)


def test_white_scales_fewer_than_16_bits(tmp_path):
    values = np.array([[0, 1365, 4095, 4200]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    decoded = open_image(tmp_path / "a.png", white=4095)
    assert np.asarray(decoded.image).tolist() == [[0, 85, 255, 255]]
    assert decoded.brightest == 4200


def png_of_16_bits(colour: np.ndarray) -> bytes:
    """A PNG file of 16-bit colour, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    height, width, _ = colour.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colour)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


def test_colour_of_12_bits_is_read_in_full_precision(noise):
    colour = noise.astype(np.uint16) * 16 + 15
    data = io.BytesIO(png_of_16_bits(colour))
    decoded = open_image(data, white=4095)
    assert (decoded.mode, decoded.brightest) == ("RGB", 4095)
    expected = np.rint(colour / 4095 * 255)
    np.testing.assert_array_equal(np.asarray(decoded.image), expected)
    np.testing.assert_array_equal(read_photo(data, white=4095).pixels, expected)
    assert open_image(data).brightest == 4095
    assert np.asarray(open_image(data).image).max() == 16


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_16_bit_colour_of_tiff_is_scaled(tmp_path, order, compression):
    tifffile = pytest.importorskip("tifffile")
    colour = np.random.default_rng(0).integers(0, 65536, (6, 8, 3), dtype=np.uint16)
    options = {"photometric": "rgb", "compression": compression, "byteorder": order}
    tifffile.imwrite(tmp_path / "a.tif", colour, **options)
    expected = np.rint(colour / 257)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)


def test_frames_are_counted_and_the_first_is_read(tmp_path, noise):
    frames = [Image.fromarray(np.roll(noise, shift, 0)) for shift in range(3)]
    for suffix in ("png", "tif", "webp", "gif"):
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        decoded = open_image(path)
        assert decoded.frames == 3
        if suffix != "gif":
            np.testing.assert_array_equal(np.asarray(decoded.image), noise)
    assert open_image(save(noise, tmp_path / "one.png")).frames == 1


def damaged_text(png: bytes) -> bytes:
    chunk = b"tEXta\0b"
    return png[:33] + struct.pack(">I", len(chunk) - 4) + chunk + bytes(4) + png[33:]


@pytest.mark.parametrize("kind", ["text", "profile", "checksum"])
def test_png_is_read_without_metadata_that_are_too_large_or_damaged(
    tmp_path, noise, kind
):
    info = PngImagePlugin.PngInfo()
    if kind == "text":
        info.add_itxt("workflow", "{}" * 600_000, zip=True)
    profile = bytes(1_500_000) if kind == "profile" else None
    path = save(noise, tmp_path / "a.png", pnginfo=info, icc_profile=profile)
    if kind == "checksum":
        path.write_bytes(damaged_text(path.read_bytes()))
    np.testing.assert_array_equal(read_image(path), noise)


@pytest.mark.parametrize(
    ("brand", "reason"),
    [
        (b"heic", "HEIF, which is not decoded: install the package pillow-heif"),
        (b"mif1", "HEIF, which is not decoded"),
        (b"avif", "damaged AVIF"),
        (b"isom", "not an image"),
    ],
)
def test_format_of_a_phone_is_named(tmp_path, monkeypatch, brand, reason):
    formats = [form for form in decoding.decodable_formats() if form != "HEIF"]
    monkeypatch.setattr(decoding, "decodable_formats", lambda: tuple(formats))
    monkeypatch.setattr(decoding.features, "check", lambda name: True)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(500))
    with pytest.raises(UnreadableImageError, match=f"^{reason}"):
        read_image(tmp_path / "a.jpg")


def test_heif_is_read_with_its_package(tmp_path):
    pytest.importorskip("pillow_heif")
    check_flat_image(tmp_path / "a.heic")


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_is_read(tmp_path):
    check_flat_image(tmp_path / "a.avif")


def check_flat_image(path):
    flat = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    read = read_image(save(flat, path))
    assert np.abs(read - flat.astype(int)).max() < 9


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, noise, orientation):
    image = Image.fromarray(noise)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    # TIFF 6.0, tag 274: positions of the stored row 0 and column 0
    expected = {
        1: noise,
        2: noise[:, ::-1],
        3: noise[::-1, ::-1],
        4: noise[::-1],
        5: noise.swapaxes(0, 1),
        6: np.rot90(noise, -1),
        7: np.rot90(noise, 2).swapaxes(0, 1),
        8: np.rot90(noise),
    }[orientation]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp", "gif"])
def test_truncated_file_is_unreadable(tmp_path, noise, suffix):
    path = save(noise, tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UnreadableImageError) as caught:
        read_image(path)
    assert str(tmp_path) not in caught.value.reason


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncation_is_reported(tmp_path, noise, suffix):
    path = save(noise, tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableImageError, match="^truncated$"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"not an image at all", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_invalid_image_is_reported(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=f"^{reason}$"):
        read_image(tmp_path / "a.jpg")


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(UnreadableImageError, match="cannot be opened: No such file"):
        read_image(tmp_path / "none.png")


def test_wrong_suffix_is_ignored(tmp_path, noise):
    save(noise, tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), noise)


@pytest.mark.parametrize("side", [50_000, 12_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb_is_rejected_before_decoding(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    with pytest.raises(UnreadableImageError, match="more than 89,478,485 pixels"):
        read_image(tmp_path / "bomb.png")


def test_image_of_exactly_the_pixel_limit_is_read(tmp_path, noise, monkeypatch):
    path = save(noise, tmp_path / "a.png")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 2400)
    assert read_image(path).shape == (40, 60, 3)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 2399)
    with pytest.raises(UnreadableImageError, match="60×40"):
        read_image(path)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(b"\0" * 1000)))
    file.write(chunk(b"IEND", b""))
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB", "I;16"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_rotated_uncompressed_tiff_is_read_upright(tmp_path, mode, orientation):
    grey = np.random.default_rng(0).integers(0, 256, (20, 50), dtype=np.uint8)
    image = Image.fromarray(grey)
    image = Image.fromarray(grey * np.uint16(257)) if mode == "I;16" else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image if mode == "I;16" else image.convert("RGB").convert(mode)
    stored.save(tmp_path / "a.tif", exif=exif)
    turned = np.rot90(grey, {1: 0, 3: 2, 6: 3, 8: 1}[orientation])
    np.testing.assert_allclose(read_image(tmp_path / "a.tif")[..., 0], turned, atol=1)
