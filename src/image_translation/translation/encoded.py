"""From an image file to its translation, as bytes: what a server answers with."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from image_translation.imaging.decoding import read_image
from image_translation.imaging.resizing import FILTER, fit_image
from image_translation.training.inference import translate
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Translator:
    """A generator with the protocol by which it translates.

    Attributes:
        generator: Takes and gives N×3×S×S in [-1, 1].
        image_size: S, in pixels.
        inference: The protocol.
    """

    generator: nn.Module
    image_size: int
    inference: InferenceSettings

    @classmethod
    def read(
        cls, trained: TrainedReplicate, inference: InferenceSettings
    ) -> "Translator":
        """Load what was trained.

        Raises:
            InputError: The weights are not there or do not fit.
        """
        return cls(trained.load_generator(), trained.config["image_size"], inference)


def translate_pixels(translator: Translator, image: Pixels) -> Pixels:
    """Translate an image, uint8 H×W×3, at the network's size; the result has its size."""
    square = fit_image(image, translator.image_size, "resize")
    (translated,) = next(
        translate(translator.generator, square[np.newaxis], translator.inference)
    )
    height, width, _ = image.shape
    return np.array(Image.fromarray(translated).resize((width, height), FILTER))


def translate_encoded(translator: Translator, data: bytes) -> bytes:
    """Translate an image file.

    Args:
        translator: What translates.
        data: The content of a file of any format that is read here.

    Returns:
        The content of a PNG file, 8-bit RGB, of the same size.

    Raises:
        UnreadableImageError: The content is not that of an image.
    """
    translated = translate_pixels(translator, read_image(io.BytesIO(data)))
    file = io.BytesIO()
    Image.fromarray(translated).save(file, "PNG")
    return file.getvalue()
