import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from image_translation.imaging.decoding import UnreadableImageError
from image_translation.translation.encoded_images import translate_encoded
from tests.translation.conftest import make_colorizer, make_translator

TRANSLATOR = make_translator(lambda images: -images, strategy="resize")


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decode(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("size", [(32, 32), (50, 20), (1, 1), (200, 131)])
def test_image_of_any_size_keeps_size_and_format(size):
    image = Image.new("RGB", size, (9, 90, 200))
    translated = decode(translate_encoded(TRANSLATOR, encode(image)))
    assert (translated.format, translated.size) == ("PNG", size)
    assert (np.asarray(translated) == (246, 165, 55)).all()


@pytest.mark.parametrize(
    ("mode", "form", "expected"),
    [
        ("L", "JPEG", ("RGB", "JPEG")),
        ("LA", "PNG", ("RGBA", "PNG")),
        ("RGBA", "PNG", ("RGBA", "PNG")),
        ("P", "GIF", ("RGB", "PNG")),
        ("CMYK", "TIFF", ("RGB", "TIFF")),
        ("I;16", "PNG", ("RGB", "PNG")),
    ],
)
def test_other_modes_and_formats_are_read_and_get_colour(mode, form, expected):
    slope = np.linspace(40, 210, 40 * 30).reshape(30, 40).astype(np.uint8)
    image = Image.fromarray(slope)
    image = (
        Image.fromarray(slope * np.uint16(257))
        if mode == "I;16"
        else image.convert(mode)
    )
    answer = decode(translate_encoded(make_colorizer(), encode(image, form)))
    assert (answer.mode, answer.format) == expected
    assert answer.size == (40, 30)
    assert np.ptp(np.asarray(answer.convert("RGB")).astype(int), axis=2).max() > 10


def test_orientation_is_applied_and_removed():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    data = encode(Image.new("RGB", (40, 30)), "JPEG", exif=exif)
    answer = decode(translate_encoded(TRANSLATOR, data))
    assert answer.size == (30, 40)
    assert ExifTags.Base.Orientation not in answer.getexif()


@pytest.mark.parametrize(
    "data", [b"", b"no image", encode(Image.new("L", (40, 30)))[:50]]
)
def test_invalid_image_is_rejected(data):
    with pytest.raises(UnreadableImageError):
        translate_encoded(TRANSLATOR, data)
