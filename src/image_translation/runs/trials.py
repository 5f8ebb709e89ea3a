"""Trials of a tuning in MLflow: one child run each, without the model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_translation.runs.mlflow_observer import MlflowObserver
from image_translation.training.settings import ModelSettings
from image_translation.tuning.search import TRIAL


class TrialsObserver(MlflowObserver):
    """Records trials; ``trial.json`` in the folder of a trial describes it."""

    def _describe(
        self,
        folder: Path,
        replicate: int,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> dict[str, Any]:
        trial = json.loads((folder / TRIAL).read_text("utf-8"))
        self._model = trial["model"]
        training = super()._describe(folder, replicate, settings, cost)
        tags = {"study": trial["study"], "trial": str(trial["trial"])}
        searched = {f"searched.{k}": str(v) for k, v in trial["parameters"].items()}
        return {
            **training,
            "name": f"{self._model} trial {trial['trial']}",
            "tags": {**training["tags"], **tags},
            "parameters": {**searched, **training["parameters"]},
            "keeps_model": False,
        }

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Add a point to every curve; pictures of every trial would be too many."""
        super().on_epoch(epoch, metrics, None)
