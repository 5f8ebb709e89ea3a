from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from image_translation.training.inference import prepare
from image_translation.training.settings import InferenceSettings
from image_translation.translation.settings import TranslateSettings
from image_translation.translation.translator import Translator

SIZE = 32
INFERENCE = InferenceSettings(batch_size=4, dropout=False, batch_statistics=False)


def make_settings(**changes: Any) -> TranslateSettings:
    return TranslateSettings.model_validate(
        {
            "model": "champion",
            "strategy": "tiles",
            "grey_input": False,
            "scale": 1,
            "overlap": 0.25,
            "quality": 98,
            **changes,
        }
    )


def make_translator(
    network: nn.Module | Callable[[torch.Tensor], torch.Tensor],
    fingerprint: str = "a function",
    **changes: Any,
) -> Translator:
    """A translator from a network, or from a function of N×3×32×32 in [-1, 1]."""
    generator = network if isinstance(network, nn.Module) else _Function(network)
    prepared = prepare(generator, INFERENCE)
    return Translator(prepared, SIZE, INFERENCE, make_settings(**changes), fingerprint)


class _Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        assert images.shape[1:] == (3, SIZE, SIZE)
        return self.function(images)


def make_colorizer(number: int = 0, **changes: Any) -> Translator:
    """Colours everything in one hue."""

    def tint(images):
        grey = images.mean(1, keepdim=True)
        blue = 0.3 * number - 0.2
        return torch.cat([grey + 0.4, grey - 0.2, grey + blue], dim=1).clamp(-1, 1)

    changes = {"strategy": "luminance", "grey_input": True, **changes}
    return make_translator(tint, f"colorizer {number}", **changes)


@pytest.fixture
def photograph() -> np.ndarray:
    """Smooth shapes with an edge, 50×90×3."""
    y, x = np.mgrid[:50, :90]
    image = np.stack([2 * x + 20, 3 * y + 40, 200 - x], axis=-1)
    image[20:40, 30:60] = (240, 60, 30)
    return image.clip(0, 255).astype(np.uint8)
