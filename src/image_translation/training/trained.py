"""Trained models on disk."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import ValidationError

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import digest, file_digest
from image_translation.networks.registry import NETWORKS
from image_translation.training.losses import loss_labels
from image_translation.training.settings import LAST, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"
HISTORY = "history.csv"

VALIDATED = ("mse", "psnr", "ssim")
"""Metrics of image fidelity after every epoch. The history also has ``swd``, a metric of
realism; ``training.select_by`` chooses one of the four."""

COLUMNS = (
    "epoch",
    "seconds",
    "images_per_second",
    *(f"train/{name}" for name in loss_labels()),
    *(f"validation/{name}" for name in (*VALIDATED, "swd")),
)
"""Columns of ``history.csv``."""


@dataclass(frozen=True)
class TrainedReplicate:
    """One trained generator on disk.

    Attributes:
        folder: Holds ``weights.safetensors``, ``config.json`` and ``history.csv``.
        config: The content of ``config.json``: ``network``, ``image_size``,
            ``objective``, ``seed``, ``replicate``, ``best_epoch``, ``select_by``,
            ``failure``, ``fingerprint``, ``weights_sha256``, ``cost``; also ``members``,
            their number, for an ensemble.
    """

    folder: Path
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "TrainedReplicate":
        """Read the configuration of a trained generator.

        Raises:
            InputError: It cannot be read.
        """
        path = folder / CONFIG
        try:
            return cls(folder, json.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be read ({error}): the model is being trained, or its "
                "training was interrupted; run the same command again to resume it"
            ) from error

    @property
    def fingerprint(self) -> str:
        """Digest of everything that it depends on, and of its weights."""
        return digest(self.config["fingerprint"], self.config["weights_sha256"])

    @property
    def replicate(self) -> int:
        return self.config["replicate"]

    @property
    def best_epoch(self) -> int | None:
        """The epoch of its weights; 0 for a baseline or an ensemble, None if no epoch was
        finished.
        """
        return self.config["best_epoch"]

    @property
    def members(self) -> int:
        """The number of networks in an ensemble; 0 for a single network."""
        return self.config.get("members", 0)

    @property
    def failure(self) -> str | None:
        """Why its training ended early, or None."""
        return self.config["failure"]

    @property
    def cost(self) -> dict[str, Any]:
        """The cost of training.

        ``parameters`` and ``discriminator_parameters`` (trainable), ``gmac`` (10⁹
        multiply–accumulates of the generator for one image), ``seconds`` and
        ``images_per_second`` (without validation; 0 for a baseline), ``epochs``,
        ``samples_seen``, ``device``, ``precision``.
        """
        return self.config["cost"]

    def history(self) -> pd.DataFrame:
        """``history.csv``: one row for each epoch; cells that do not apply are empty."""
        return pd.read_csv(self.folder / HISTORY)

    @property
    def validation_score(self) -> float | None:
        """The metric ``select_by`` of the best epoch, in full precision.

        None without a best epoch, or if the last epoch was selected.
        """
        if self.best_epoch is None or self.config["select_by"] == LAST:
            return None
        table = pd.read_csv(self.folder / HISTORY, float_precision="round_trip")
        chosen = table.loc[table["epoch"] == self.best_epoch]
        return float(chosen[f"validation/{self.config['select_by']}"].iloc[0])

    def check_network(self) -> None:
        """Check that the project has the network.

        Raises:
            InputError: It was removed.
        """
        name = self.config["network"]["name"]
        if name not in NETWORKS:
            raise InputError(
                f"{self.folder} was trained with the network {name}, which this version of "
                "the project does not have; restore its file, or remove the folder"
            )

    def load_generator(self) -> "nn.Module":
        """Build the generator and load its weights; in evaluation mode, on the CPU.

        Raises:
            InputError: The network was removed, or the weights cannot be read, are damaged
                or do not fit.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        self.check_network()
        path, generator = self.folder / WEIGHTS, self._build()
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path} cannot be read ({error}); train the model again with "
                "training.force=true"
            ) from error
        if file_digest(path) != self.config["weights_sha256"]:
            raise InputError(
                f"{path} is damaged: it differs from the weights that were trained. "
                "Remove it and run the same command again to retrain the model"
            )
        if not fits(generator, weights):
            raise InputError(
                f"{path} does not fit the network that this version of the project "
                f"builds for {self.config['network']['name']} at "
                f"{self.config['image_size']} pixels; train the "
                "model again (kedro run, with training.force=true if it is up to date)"
            )
        generator.load_state_dict(weights)
        return generator.eval()

    def _build(self) -> "nn.Module":
        """The generator with initial weights."""
        from image_translation.networks import build_network
        from image_translation.networks.ensemble import Ensemble

        build = partial(
            build_network,
            image_size=self.config["image_size"],
            **self.config["network"],
        )
        return (
            Ensemble(build() for _ in range(self.members)) if self.members else build()
        )


def fits(network: "nn.Module", weights: "Mapping[str, Tensor]") -> bool:
    """True if weights have the names and shapes of those of a network."""
    own = network.state_dict()
    return own.keys() == weights.keys() and all(
        own[name].shape == weights[name].shape for name in own
    )


@dataclass(frozen=True)
class TrainedModel:
    """A model with all its replicates, or the reason why there are none.

    Attributes:
        status: ``failed`` if the training of a replicate diverged; ``elsewhere`` if only
            predictions of the model are known.
        reason: Empty for a trained model.
        replicates: The replicates on disk, in order; of a failed one the best epoch.
        settings: The settings of training.
    """

    status: Literal["trained", "not run", "failed", "elsewhere"]
    reason: str
    replicates: tuple[TrainedReplicate, ...]
    settings: ModelSettings | None

    @property
    def fingerprint(self) -> str:
        """Digest of status and replicates."""
        return digest(self.status, self.reason, list(self.replicates))

    @property
    def is_trainable(self) -> bool:
        """True if its network is trained, false for a baseline or without settings."""
        return self.settings is not None and self.settings.is_trainable

    def history(self) -> pd.DataFrame:
        """One row for each replicate and epoch: ``history.csv`` with ``replicate``."""
        parts = [
            replicate.history().assign(replicate=replicate.replicate)
            for replicate in self.replicates
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def to_json(self) -> str:
        """The model as JSON, with the names of the folders of its replicates."""
        settings = self.settings and self.settings.model_dump(mode="json")
        content = {
            "status": self.status,
            "reason": self.reason,
            "replicates": [replicate.folder.name for replicate in self.replicates],
            "settings": settings,
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, folder: Path) -> "TrainedModel":
        """Read a model from JSON.

        Args:
            text: From `to_json`.
            folder: The model's folder, with the folders of its replicates.

        Raises:
            InputError: A replicate cannot be read, or its network was removed.
        """
        content = json.loads(text)
        replicates = [TrainedReplicate.read(folder / r) for r in content["replicates"]]
        try:
            settings = content["settings"] and ModelSettings.model_validate(
                content["settings"]
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"{folder} was trained with {'.'.join(map(str, first['loc']))}="
                f"{first['input']}, which this version of the project does not have. "
                "Restore its code, or remove the folder"
            ) from error
        return cls(content["status"], content["reason"], tuple(replicates), settings)
