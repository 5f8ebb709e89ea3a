"""Validation after every epoch: scores, samples, and the choice of the best epoch."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import nn

from image_translation.metrics import (
    for_means,
    mse,
    psnr,
    sliced_wasserstein,
    ssim,
)
from image_translation.pairing.arrays import PairArrays
from image_translation.training.averaging import recompute_statistics
from image_translation.training.devices import Device
from image_translation.training.inference import prepare, translate_prepared
from image_translation.training.processes import rank_and_world
from image_translation.training.settings import LAST, ModelSettings
from image_translation.training.state import TrainingState
from image_translation.training.trained import VALIDATED

# Not those of the registry of metrics: a new one would train all models again.
METRICS = {"mse": mse, "psnr": psnr, "ssim": ssim}
LOWER_IS_BETTER = ("mse", "swd")

SAMPLES = 4
"""Validation pairs in a sample image."""


def prepare_translator(
    state: TrainingState, train: PairArrays, settings: ModelSettings, device: Device
) -> nn.Module:
    """The network to validate, in the mode that the inference settings ask for."""
    if state.average is not None:
        _, world = rank_and_world()
        batch_size = math.ceil(settings.training.batch_size / world)
        recompute_statistics(state.average, train.inputs, batch_size, device)
    return prepare(state.translator, settings.inference.validated)


def score(
    network: nn.Module, validation: PairArrays, settings: ModelSettings, seed: int
) -> dict[str, float]:
    """Mean of each metric on 8-bit translations of the validation pairs.

    Args:
        network: From `prepare_translator`.
        validation: The pairs.
        settings: Of inference.
        seed: Of dropout.

    Returns:
        By name, ``validation/<metric>``.
    """
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in VALIDATED}

    def score_batches() -> Iterator[NDArray[np.uint8]]:
        start = 0
        for predictions in translate_prepared(
            network, validation.inputs, settings.inference, seed
        ):
            stop = start + len(predictions)
            targets = np.asarray(validation.targets[start:stop])
            for name in VALIDATED:
                values[name].append(METRICS[name](predictions, targets))
            start = stop
            yield predictions

    realism = sliced_wasserstein(score_batches(), validation.targets)
    scores = {
        f"validation/{name}": float(for_means(name, np.concatenate(parts)).mean())
        for name, parts in values.items()
    }
    return {**scores, "validation/swd": realism}


def draw_samples(
    network: nn.Module, validation: PairArrays, settings: ModelSettings, seed: int
) -> NDArray[np.uint8]:
    """Validation pairs, evenly spread over the set, with their translations.

    Args:
        network: From `prepare_translator`.
        validation: The pairs.
        settings: Of inference.
        seed: Of dropout.

    Returns:
        H×W×3; one row for each pair, input | prediction | target.
    """
    last = len(validation) - 1
    shown = np.unique(np.linspace(0, last, SAMPLES).round().astype(int))
    inputs = np.asarray(validation.inputs[shown])  # (n, S, S, 3)
    predictions = np.concatenate(
        list(translate_prepared(network, inputs, settings.inference, seed))
    )
    columns = (inputs, predictions, np.asarray(validation.targets[shown]))
    return np.concatenate(np.concatenate(columns, axis=2))  # rows of (S, 3S, 3)


def is_best(row: dict[str, float], state: TrainingState, select_by: str) -> bool:
    """True if an epoch is better than all before it; the earlier one wins a tie.

    Always true if the last epoch is to be saved, or if it is the first one.

    Args:
        row: The epoch's row of the history.
        state: Of the training, with the best epoch so far.
        select_by: ``training.select_by``.
    """
    if state.best_epoch is None or select_by == LAST:
        return True
    column = f"validation/{select_by}"
    best = next(r for r in state.history if r["epoch"] == state.best_epoch)
    gain = row[column] - best[column]
    return gain < 0 if select_by in LOWER_IS_BETTER else gain > 0


def is_out_of_patience(state: TrainingState, patience: int | None) -> bool:
    """True if so many epochs have passed since the best one (early stopping).

    Prechelt 1998, "Early stopping - but when?", criterion UP; false in processes that do
    not validate.

    Args:
        state: Of the training, with the best epoch so far.
        patience: ``training.patience``; None never stops.
    """
    if patience is None or state.best_epoch is None:
        return False
    return state.epoch - state.best_epoch >= patience
