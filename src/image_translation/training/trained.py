"""What training leaves behind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from image_translation.errors import InputError
from image_translation.fingerprint import digest
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
        config: What stands in ``config.json``: ``network``, ``image_size``,
            ``objective``, ``seed``, ``replicate``, ``best_epoch``, ``select_by``,
            ``failure``, ``fingerprint``, ``weights_sha256``, ``cost``.
    """

    folder: Path
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "TrainedReplicate":
        """Find a trained generator in its folder.

        Raises:
            InputError: There is none, or its description cannot be read.
        """
        path = folder / CONFIG
        try:
            return cls(folder, json.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be read ({error}): the model is being trained, or its "
                "training was cut off; the same command goes on with it"
            ) from error

    @property
    def fingerprint(self) -> str:
        """Digest of what it was made from and of the weights that came of it."""
        return digest(self.config["fingerprint"], self.config["weights_sha256"])

    @property
    def replicate(self) -> int:
        """Its number, from 0."""
        return self.config["replicate"]

    @property
    def best_epoch(self) -> int | None:
        """The epoch its weights are of; 0 for a baseline, None if there was none.

        The best by ``select_by``, or the last finished one.
        """
        return self.config["best_epoch"]

    @property
    def failure(self) -> str | None:
        """Why its training was stopped, or None."""
        return self.config["failure"]

    @property
    def cost(self) -> dict[str, Any]:
        """What it took.

        ``parameters`` and ``discriminator_parameters`` (trainable), ``gmac`` (10⁹
        multiply–accumulates of the generator for one image), ``seconds`` and
        ``images_per_second`` (of training steps, validation left out; 0 for a baseline), ``epochs``,
        ``samples_seen``, ``device``, ``precision``.
        """
        return self.config["cost"]

    def history(self) -> pd.DataFrame:
        """One row an epoch, as in ``history.csv``; empty where not applicable."""
        return pd.read_csv(self.folder / HISTORY)

    @property
    def validation_score(self) -> float | None:
        """What chose its best epoch, ``select_by``, to the last digit; None if none did."""
        if self.best_epoch is None or self.config["select_by"] == LAST:
            return None
        table = pd.read_csv(self.folder / HISTORY, float_precision="round_trip")
        chosen = table.loc[table["epoch"] == self.best_epoch]
        return float(chosen[f"validation/{self.config['select_by']}"].iloc[0])

    def load_generator(self) -> "nn.Module":
        """Build the generator and give it its weights; in evaluation mode, on the CPU.

        Raises:
            InputError: The weights are not there or do not fit.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from image_translation.models import build_network

        path, size = self.folder / WEIGHTS, self.config["image_size"]
        generator = build_network(image_size=size, **self.config["network"])
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path} cannot be used ({error}); train the model again with "
                "training.force=true"
            ) from error
        if not fits(generator, weights):
            raise InputError(
                f"{path} holds weights of another network than this version of the "
                f"project builds for {self.config['network']['name']} at {size} pixels; "
                "train the model again (kedro run, with training.force=true if it counts "
                "as up to date)"
            )
        generator.load_state_dict(weights)
        return generator.eval()


def fits(network: "nn.Module", weights: "Mapping[str, Tensor]") -> bool:
    """Whether weights have the names and shapes of a network's."""
    own = network.state_dict()
    return own.keys() == weights.keys() and all(
        own[name].shape == weights[name].shape for name in own
    )


@dataclass(frozen=True)
class TrainedModel:
    """A model with all its replicates, or the reason why there are none.

    Attributes:
        status: ``failed`` if a replicate was stopped by a loss that is not a number.
        reason: Empty for a trained model.
        replicates: What there is on disk, in order; of a failed one the best before.
        settings: What it was trained with.
    """

    status: Literal["trained", "not run", "failed"]
    reason: str
    replicates: tuple[TrainedReplicate, ...]
    settings: ModelSettings | None

    @property
    def fingerprint(self) -> str:
        """Digest of its status and of its replicates."""
        return digest(self.status, self.reason, list(self.replicates))

    @property
    def is_learnt(self) -> bool:
        """Whether it learnt anything; a baseline did not."""
        return self.settings is not None and self.settings.is_trainable

    def history(self) -> pd.DataFrame:
        """One row a replicate and epoch: ``replicate`` and the columns of each."""
        parts = [
            replicate.history().assign(replicate=replicate.replicate)
            for replicate in self.replicates
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def to_json(self) -> str:
        """Describe the model, with the names of its replicates' folders."""
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
        """Read a description.

        Args:
            text: What `to_json` gave.
            folder: The model's folder, which holds those of its replicates.

        Raises:
            InputError: A replicate is not there.
        """
        content = json.loads(text)
        settings = content["settings"]
        return cls(
            status=content["status"],
            reason=content["reason"],
            replicates=tuple(
                TrainedReplicate.read(folder / name) for name in content["replicates"]
            ),
            settings=settings and ModelSettings.model_validate(settings),
        )
