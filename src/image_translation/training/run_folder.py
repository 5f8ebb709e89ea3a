"""The folder of a replicate: what it was trained from, and whether that is up to date.

Works without torch, so that a run with nothing to train starts quickly.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import (
    Fingerprint,
    explain_change,
    fingerprint,
)
from image_translation.common.stamps import Stamp
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import (
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)
from image_translation.training.warm_start import START, digest_encoder, digest_start

PACKAGE = __name__.rpartition(".")[0]

CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
"""The two latest checkpoints."""


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
            encoder_weights=digest_encoder(self.settings),
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
        limit = self.settings.training.pairs
        return min(limit or len(self.train), len(self.train))

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

    def forget_progress(self) -> None:
        """Remove what an interrupted training needs: checkpoints, weights to start from.

        Without weights, the next training starts from the same weights again.
        """
        _remove(self.path, CHECKPOINT, PREVIOUS)
        if (self.path / WEIGHTS).is_file():
            _remove(self.path, START)


def _remove(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).unlink(missing_ok=True)
