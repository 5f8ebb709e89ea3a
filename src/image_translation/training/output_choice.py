"""What a network predicts, chosen from the training pairs: ``network.output=auto``."""

import numpy as np

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.pairing.arrays import PairArrays
from image_translation.training.settings import AUTO, ModelSettings

PAIRS = 64
"""Pairs that are measured, evenly spread, or all if there are fewer."""

SAME_LUMA = 2.0
"""Mean difference up to which luma counts as equal, in levels of 8 bits."""


def resolve_output(settings: ModelSettings, train: PairArrays) -> ModelSettings:
    """Settings with the chosen output in place of ``auto``."""
    if settings.network.output != AUTO:
        return settings
    network = settings.network.model_copy(update={"output": choose_output(train)})
    return settings.model_copy(update={"network": network})


def choose_output(pairs: PairArrays) -> str:
    """The output layer that suits pairs.

    ``ycbcr`` if the inputs are grey and equal the luma of their targets: only the colour
    is missing. ``residual`` if the input is closer to its target than the mean target is:
    a correction has less to change than the whole image. Otherwise ``rgb``.

    Args:
        pairs: Training pairs.
    """
    count = min(len(pairs), PAIRS)
    if not count:
        return "rgb"
    chosen = np.arange(count) * len(pairs) // count
    inputs = pairs.inputs[chosen].astype(float)
    targets = pairs.targets[chosen].astype(float)
    luma = (targets @ LUMA_WEIGHTS)[..., None]  # (N, H, W, 1)
    if np.abs(inputs - luma).mean() <= SAME_LUMA:
        return "ycbcr"
    copied = np.square(inputs - targets).mean()
    mean = np.square(targets.mean(axis=0) - targets).mean()
    return "residual" if copied < mean else "rgb"
