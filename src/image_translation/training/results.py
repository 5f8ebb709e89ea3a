"""The results of a training: weights, history and configuration, written as a whole."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.common.stamps import Stamp
from image_translation.networks.encoder_weights import name_weights
from image_translation.training.checkpoint import write_whole
from image_translation.training.cost import measure_cost
from image_translation.training.processes import is_first
from image_translation.training.run_folder import RunFolder
from image_translation.training.state import TrainingState
from image_translation.training.trained import (
    COLUMNS,
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)


def save_epoch(folder: RunFolder, state: TrainingState, *, with_weights: bool) -> None:
    """Write the history and, for the best epoch so far, the weights.

    Raises:
        InputError: They could not be written, as on a full disk.
    """
    try:
        if with_weights:
            save_weights(state.translator, folder.path)
        save_history(state.history, folder.path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder.name}: epoch {state.epoch} could not be saved in {folder.path} "
            f"({error}); the last good checkpoint is kept. Free some space and run "
            "the same command again: training resumes there"
        ) from error


def finish(
    folder: RunFolder,
    state: TrainingState,
    known_cost: dict[str, Any],
    failure: str | None,
) -> TrainedReplicate:
    """Write history and configuration, and mark the training as finished.

    Args:
        folder: Settings, pairs and files.
        state: After the last epoch.
        known_cost: The cost that was known before training.
        failure: Why the training ended early, or None.
    """
    settings, weights = folder.settings, folder.path / WEIGHTS
    config = {
        "network": settings.network.model_dump(mode="json"),
        "image_size": folder.train.image_size,
        "objective": settings.objective.model_dump(mode="json"),
        "encoder_weights": name_weights(settings.training.encoder_weights),
        "seed": folder.seed,
        "replicate": folder.replicate,
        "select_by": settings.training.select_by,
        "best_epoch": state.best_epoch,
        "failure": failure,
        "fingerprint": folder.fingerprint,
        "weights_sha256": file_digest(weights) if weights.is_file() else None,
        "cost": known_cost | measure_cost(state.history, folder.pairs),
    }
    if is_first():
        save_history(state.history, folder.path)
        save_config(config, folder.path)
        written = (folder.path / name for name in (WEIGHTS, HISTORY, CONFIG))
        Stamp(folder.path).write(folder.fingerprint, filter(Path.is_file, written))
        folder.forget_progress()
    return TrainedReplicate(folder.path, config)


def save_weights(network: nn.Module, folder: Path) -> None:
    """Write ``weights.safetensors``."""
    weights = {
        name: value.detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    write_whole(folder / WEIGHTS, lambda path: save_file(weights, path))


def save_history(history: list[dict[str, float]], folder: Path) -> None:
    """Write ``history.csv``."""
    table = pd.DataFrame(history, columns=list(COLUMNS))
    write_whole(folder / HISTORY, lambda path: table.to_csv(path, index=False))


def save_config(config: dict[str, Any], folder: Path) -> None:
    """Write the configuration of a training as a whole."""
    text = json.dumps(config, indent=2) + "\n"
    write_whole(folder / CONFIG, lambda path: path.write_text(text, "utf-8"))
