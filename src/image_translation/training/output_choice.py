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
    luma_error = copy_error = squares = 0.0
    total = np.zeros(pairs.targets.shape[1:])
    for position in np.arange(count) * len(pairs) // count:
        image = pairs.inputs[position].astype(float)
        target = pairs.targets[position].astype(float)
        luma = (target @ LUMA_WEIGHTS)[..., None]  # (H, W, 1)
        luma_error += np.abs(image - luma).mean() / count
        copy_error += np.square(image - target).mean() / count
        squares += np.square(target).mean() / count
        total += target
    if luma_error <= SAME_LUMA:
        return "ycbcr"
    mean_error = squares - np.square(total / count).mean()
    return "residual" if copy_error < mean_error else "rgb"
