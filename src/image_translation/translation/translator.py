"""A trained generator for images of any size.

Networks have a fixed size: the U-Net goes down to 1×1, so at another size its innermost
levels would see inputs unlike those of training. Larger images are therefore processed
in pieces of that size, or at a smaller scale.
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

from image_translation.common.fingerprint import code_digest, digest
from image_translation.imaging.resizing import FILTER, fit_image
from image_translation.networks.registry import code_of
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
"""Maximum length of an image at the network's scale, in network sizes."""


@dataclass(frozen=True)
class Translator:
    """A generator with its protocol and strategy for translation.

    Attributes:
        network: Maps N×3×S×S in [-1, 1] to the same; the result of `load_network`.
        image_size: S, in pixels.
        inference: The protocol.
        settings: The strategy.
        fingerprint: Digest of the generator and its code.
        check: Called after every batch of tiles; an exception stops the translation.
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
        """Load a trained generator; see `load_network`.

        Raises:
            InputError: The weights are missing or incompatible.
        """
        network = load_network(trained, inference, exported)
        size = trained.config["image_size"]
        built = trained.config["network"]
        code = code_of(built["name"], built.get("output", "rgb"))
        fingerprint = digest(trained.fingerprint, code_digest(*code))
        return cls(network, size, inference, settings, fingerprint)

    def translate_squares(self, squares: Pixels) -> Pixels:
        """Translate images of the network's size, uint8, N×S×S×3."""
        squares = seen_pixels(squares, self.settings)
        translated = []
        for batch in translate_prepared(self.network, squares, self.inference):
            self.check()
            translated.append(batch)
        return np.concatenate(translated)


def seen_pixels(pixels: Pixels, settings: TranslateSettings) -> Pixels:
    """What the network sees of images, uint8 …×3: their luma if it expects grey ones."""
    if not settings.grey_input:
        return pixels
    return np.repeat(_to_levels(luma(pixels)), 3, axis=-1)


class Strategy(Protocol):
    """Translates an image, uint8 H×W×3, to one of the same size."""

    def __call__(self, translator: Translator, image: Pixels) -> Pixels:
        """Translate."""


def translate_pixels(translator: Translator, image: Pixels) -> Pixels:
    """Translate an image, uint8 H×W×3, by the strategy; the size is preserved."""
    return STRATEGIES[translator.settings.strategy](translator, image)


def describe_strategy(translator: Translator, height: int, width: int) -> str:
    """How an image is translated: ``luminance at 171 × 128 pixels``."""
    strategy, size = translator.settings.strategy, translator.image_size
    seen = {"tiles": (width, height), "resize": (size, size)}.get(
        strategy, _seen_size(translator, height, width)
    )
    return f"{strategy} at {seen[0]} × {seen[1]} pixels"


def _resize(translator: Translator, image: Pixels) -> Pixels:
    """Squeeze to the network's square and stretch the result."""
    square = fit_image(image, translator.image_size, "resize")
    (translated,) = translator.translate_squares(square[np.newaxis])
    height, width, _ = image.shape
    return np.array(Image.fromarray(translated).resize((width, height), FILTER))


def _tiles(translator: Translator, image: Pixels) -> Pixels:
    """Translate tiles of the image at full size, and blend them."""
    return translate_tiles(
        translator.translate_squares,
        image,
        translator.image_size,
        translator.settings.overlap,
    )


def _guided(translator: Translator, image: Pixels) -> Pixels:
    """Translate at the network's scale, and upsample along the edges of the image."""
    small = _shrink(image, translator)
    unit = np.float32(1 / 255)
    functions = LocalLinear.fit(small * unit, _tiles(translator, small) * unit)
    result = np.empty_like(image)
    for rows, coefficients in functions.strips(*image.shape[:2]):
        strip = apply_linear(coefficients, image[rows] * unit)
        result[rows] = _to_levels(strip * 255)
    return result


def _luminance(translator: Translator, image: Pixels) -> Pixels:
    """Like ``guided``, but for colour only; the luma of the image is preserved."""
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
"""All strategies by their name in ``translate.strategy``."""


def _shrink(image: Pixels, translator: Translator) -> Pixels:
    """Scale the image so that its short edge matches the network, with the same
    aspect.
    """
    seen = _seen_size(translator, *image.shape[:2])
    return np.array(Image.fromarray(image).resize(seen, FILTER))


def _seen_size(translator: Translator, height: int, width: int) -> tuple[int, int]:
    """Width and height at the network's scale."""
    size = translator.image_size
    scale = min(
        size * translator.settings.scale / min(height, width),
        size * LONGEST * max(translator.settings.scale, 1) / max(height, width),
    )
    return max(1, round(width * scale)), max(1, round(height * scale))


def _to_levels(values: NDArray[np.floating]) -> Pixels:
    return np.rint(values).clip(0, 255).astype(np.uint8)
