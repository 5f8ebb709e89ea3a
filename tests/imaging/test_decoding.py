import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_translation.imaging import decoding
from image_translation.imaging.decoding import UnreadableImageError, read_image


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


def test_floating_point_pixels_are_rejected(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match="floating-point"):
        read_image(tmp_path / "a.tif")


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
