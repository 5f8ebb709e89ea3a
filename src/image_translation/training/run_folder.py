"""The folder of a replicate: fingerprint, weights, history, configuration."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import (
    Fingerprint,
    explain_change,
    file_digest,
    fingerprint,
)
from image_translation.common.stamps import Stamp
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays
from image_translation.training.checkpoint import CHECKPOINT, PREVIOUS, write_whole
from image_translation.training.cost import measure_cost
from image_translation.training.plan import choose_pairs
from image_translation.training.processes import is_first
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState
from image_translation.training.trained import (
    COLUMNS,
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)
from image_translation.training.warm_start import START, digest_start

PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class RunFolder:
    """The files of one training.

    Attributes:
        path: The folder.
        settings: The model's.
        train: Pairs to learn from.
        validation: Pairs that choose the epoch.
        replicate: Number of the replicate.
        model: Name of the model in the log; by default the network's.
    """

    path: Path
    settings: ModelSettings
    train: PairArrays
    validation: PairArrays
    replicate: int = 0
    model: str | None = None

    @property
    def name(self) -> str:
        """Name in the log, such as ``pix2pix replicate 0``."""
        return f"{self.model or self.settings.network.name} replicate {self.replicate}"

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Digest of everything that the weights depend on."""
        network, objective = self.settings.network, self.settings.objective
        training = self.settings.training
        return fingerprint(
            f"{PACKAGE}.fitting",
            *code_of(network.name, network.output),
            *(f"{PACKAGE}.losses.LOSSES[{n}]" for n in objective.logged_losses),
            f"{PACKAGE}.losses.GAN_LOSSES[{objective.gan_loss}]",
            **self.settings.relevant(exclude_defaults=True),
            # each process has batch statistics of its own
            processes=training.devices * training.nodes,
            warm_start=digest_start(self.settings),
            replicate=self.replicate,
            train_pairs=self.train,
            validation_pairs=self.validation,
        )

    @property
    def seed(self) -> int:
        return self.settings.training.seed + self.replicate

    @property
    def pairs(self) -> int:
        """Training pairs in an epoch."""
        return len(choose_pairs(len(self.train), self.settings.training.pairs))

    def find_finished(self) -> TrainedReplicate | None:
        """The result of an earlier training with the same fingerprint, if complete."""
        if not Stamp(self.path).matches(self.fingerprint):
            return None
        try:
            return TrainedReplicate.read(self.path)
        except InputError:
            return None

    def explain(self) -> str:
        """Why the model has to be trained."""
        stored = Stamp(self.path).read()
        is_forced = self.settings.training.force and stored == self.fingerprint
        if is_forced:
            return "training.force is true"
        return explain_change(stored, self.fingerprint)

    def reopen(self) -> None:
        """Create the folder if needed, and mark it as unfinished."""
        self.path.mkdir(parents=True, exist_ok=True)
        Stamp(self.path).clear()

    def clear(self) -> None:
        """Remove the files of an earlier training, except the weights to start from."""
        _remove(self.path, CHECKPOINT, PREVIOUS, WEIGHTS, CONFIG, HISTORY)

    def save_epoch(self, state: TrainingState, *, with_weights: bool) -> None:
        """Write the history and, for the best epoch so far, the weights.

        Raises:
            InputError: They could not be written, as on a full disk.
        """
        try:
            if with_weights:
                save_weights(state.translator, self.path)
            save_history(state.history, self.path)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{self.name}: epoch {state.epoch} could not be saved in {self.path} "
                f"({error}); the last good checkpoint is kept. Free some space and run "
                "the same command again: training resumes there"
            ) from error

    def finish(
        self, state: TrainingState, known_cost: dict[str, Any], failure: str | None
    ) -> TrainedReplicate:
        """Write history and configuration, and mark the training as finished.

        Args:
            state: After the last epoch.
            known_cost: The cost that was known before training.
            failure: Why the training ended early, or None.
        """
        weights = self.path / WEIGHTS
        config = {
            "network": self.settings.network.model_dump(),
            "image_size": self.train.image_size,
            "objective": self.settings.objective.model_dump(),
            "seed": self.seed,
            "replicate": self.replicate,
            "select_by": self.settings.training.select_by,
            "best_epoch": state.best_epoch,
            "failure": failure,
            "fingerprint": self.fingerprint,
            "weights_sha256": file_digest(weights) if weights.is_file() else None,
            "cost": known_cost | measure_cost(state.history, self.pairs),
        }
        if is_first():
            save_history(state.history, self.path)
            text = json.dumps(config, indent=2) + "\n"
            write_whole(self.path / CONFIG, lambda path: path.write_text(text, "utf-8"))
            written = (self.path / name for name in (WEIGHTS, HISTORY, CONFIG))
            Stamp(self.path).write(self.fingerprint, filter(Path.is_file, written))
            _remove(self.path, CHECKPOINT, PREVIOUS)
            if weights.is_file():  # otherwise the next training starts from START too
                _remove(self.path, START)
        return TrainedReplicate(self.path, config)


def _remove(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).unlink(missing_ok=True)


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
