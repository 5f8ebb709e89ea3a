import io

import numpy as np
import pytest
from PIL import Image
from torch import nn

from image_translation.imaging.decoding import UnreadableImageError
from image_translation.training.settings import InferenceSettings
from image_translation.translation.encoded import Translator, translate_encoded

INFERENCE = InferenceSettings(batch_size=4, dropout=False, batch_statistics=False)


class Negative(nn.Module):
    def forward(self, images):
        assert images.shape[2:] == (32, 32)
        return -images


TRANSLATOR = Translator(Negative(), 32, INFERENCE)


def encode(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [(32, 32), (50, 20), (1, 1), (200, 131)])
def test_image_of_any_size_becomes_a_png_of_its_size(size):
    answer = translate_encoded(TRANSLATOR, encode(Image.new("RGB", size, (9, 90, 200))))
    translated = Image.open(io.BytesIO(answer))
    assert (translated.format, translated.size) == ("PNG", size)
    assert (np.asarray(translated) == (246, 165, 55)).all()


@pytest.mark.parametrize(
    ("mode", "form"), [("L", "JPEG"), ("RGBA", "PNG"), ("P", "GIF")]
)
def test_other_modes_and_formats_are_read(mode, form):
    data = encode(Image.new(mode, (40, 30)), form)
    answer = Image.open(io.BytesIO(translate_encoded(TRANSLATOR, data)))
    assert (answer.mode, answer.size) == ("RGB", (40, 30))


@pytest.mark.parametrize(
    "data", [b"", b"no image", encode(Image.new("L", (40, 30)))[:50]]
)
def test_what_is_no_image_is_refused(data):
    with pytest.raises(UnreadableImageError):
        translate_encoded(TRANSLATOR, data)
