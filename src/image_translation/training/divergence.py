"""Trainings that diverge: losses or weights that explode or are not finite."""

import torch

from image_translation.training.processes import any_process
from image_translation.training.state import TrainingState

MAX_LOSS = 1e6
"""A larger loss has exploded: images lie in [-1, 1], useful logits within a few tens."""

ADVICE = "a lower training.learning_rate may help"


class DivergedError(Exception):
    """A loss or a weight is not finite, or a loss has exploded."""


def mean_losses(state: TrainingState, names: list[str]) -> dict[str, float]:
    """Mean losses of the current epoch, named ``train/<loss>``.

    Args:
        state: Of the training.
        names: The losses in ``state.sums``.

    Raises:
        DivergedError: A mean is not finite, or has exploded.
    """
    means = dict(zip(names, (state.sums / state.seen).tolist(), strict=True))
    for name, value in means.items():
        if not abs(value) <= MAX_LOSS:  # catches nan too
            raise DivergedError(f"train/{name} is {value:g}; {ADVICE}")
    return {f"train/{name}": value for name, value in means.items()}


def check_weights(state: TrainingState) -> None:
    """Check the generator after the last step of an epoch, which no loss has seen.

    Raises:
        DivergedError: A weight is not finite, in any process.
    """
    values = state.generator.state_dict().values()
    if any_process(not all(torch.isfinite(value).all() for value in values)):
        raise DivergedError(f"weights are not finite; {ADVICE}")
