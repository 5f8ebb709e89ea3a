"""A trained generator that translates images of any size, and how it does that.

The networks are made for one size: the U-Net goes down to 1×1, so that at another size
its innermost levels would see what they never saw in training. Larger images are
therefore shown to them in pieces of that size, or at a smaller scale.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from image_translation.imaging.resizing import FILTER, fit_image
from image_translation.training.inference import translate_prepared
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate
from image_translation.translation.luminance import chroma, combine, luma
from image_translation.translation.runtime import load_network
from image_translation.translation.settings import TranslateSettings
from image_translation.translation.tiling import translate_tiles
from image_translation.translation.upsampling import LocalLinear, apply_linear

Pixels = NDArray[np.uint8]

LONGEST = 8
"""At the network's scale an image is at most so many network sizes long."""


@dataclass(frozen=True)
class Translator:
    """A generator with the protocol and the strategy by which it translates.

    Attributes:
        network: Takes and gives N×3×S×S in [-1, 1]; `load_network` gave it.
        image_size: S, in pixels.
        inference: The protocol.
        settings: The strategy.
        fingerprint: Digest of what the generator was made from.
        check: Called after every batch of tiles; what it raises ends the translation.
    """

    network: nn.Module
    image_size: int
    inference: InferenceSettings
    settings: TranslateSettings
    fingerprint: str = ""
    check: Callable[[], None] = lambda: None

    @classmethod
    def read(
        cls,
        trained: TrainedReplicate,
        inference: InferenceSettings,
        settings: TranslateSettings,
        exported: Path | None = None,
    ) -> "Translator":
        """Load what was trained; see `load_network`.

        Raises:
            InputError: The weights are not there or do not fit.
        """
        network = load_network(trained, inference, exported)
        size = trained.config["image_size"]
        return cls(network, size, inference, settings, trained.fingerprint)

    def translate_squares(self, squares: Pixels) -> Pixels:
        """What the network makes of images of its size, uint8, N×S×S×3."""
        if self.settings.grey_input:
            squares = np.repeat(_to_levels(luma(squares)), 3, axis=-1)
        translated = []
        for batch in translate_prepared(self.network, squares, self.inference):
            self.check()
            translated.append(batch)
        return np.concatenate(translated)


class Strategy(Protocol):
    """Translates an image, uint8 H×W×3, into one of its size."""

    def __call__(self, translator: Translator, image: Pixels) -> Pixels:
        """Translate."""


def translate_pixels(translator: Translator, image: Pixels) -> Pixels:
    """Translate an image, uint8 H×W×3, by the strategy; the result has its size."""
    return STRATEGIES[translator.settings.strategy](translator, image)


def _resize(translator: Translator, image: Pixels) -> Pixels:
    """Squash to the network's square and stretch what comes of it."""
    square = fit_image(image, translator.image_size, "resize")
    (translated,) = translator.translate_squares(square[np.newaxis])
    height, width, _ = image.shape
    return np.array(Image.fromarray(translated).resize((width, height), FILTER))


def _tiles(translator: Translator, image: Pixels) -> Pixels:
    """Translate tiles of the image as it is, and blend them."""
    return translate_tiles(
        translator.translate_squares,
        image,
        translator.image_size,
        translator.settings.overlap,
    )


def _guided(translator: Translator, image: Pixels) -> Pixels:
    """Translate at the network's scale; at full size, what it made of colours around."""
    small = _shrink(image, translator)
    unit = np.float32(1 / 255)
    functions = LocalLinear.fit(small * unit, _tiles(translator, small) * unit)
    result = np.empty_like(image)
    for rows, coefficients in functions.strips(*image.shape[:2]):
        strip = apply_linear(coefficients, image[rows] * unit)
        result[rows] = _to_levels(strip * 255)
    return result


def _luminance(translator: Translator, image: Pixels) -> Pixels:
    """As ``guided``, but for colour alone; the luma is the image's own."""
    small = _shrink(image, translator)
    guide = luma(small) / 255
    functions = LocalLinear.fit(guide, chroma(_tiles(translator, small)))
    result = np.empty_like(image)
    for rows, coefficients in functions.strips(*image.shape[:2]):
        y = luma(image[rows])
        result[rows] = _to_levels(combine(y, apply_linear(coefficients, y / 255)))
    return result


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {"tiles": _tiles, "guided": _guided, "luminance": _luminance, "resize": _resize}
)
"""All strategies by the name that ``translate.strategy`` gives them."""


def _shrink(image: Pixels, translator: Translator) -> Pixels:
    """The image with its short side at the network's scale, its aspect kept."""
    height, width, _ = image.shape
    size = translator.image_size
    scale = min(
        size * translator.settings.scale / min(height, width),
        size * LONGEST * max(translator.settings.scale, 1) / max(height, width),
    )
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(image).resize(target, FILTER))


def _to_levels(values: NDArray[np.floating]) -> Pixels:
    return np.rint(values).clip(0, 255).astype(np.uint8)
