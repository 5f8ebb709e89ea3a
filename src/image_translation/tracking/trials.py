"""Trials of a tuning, live in MLflow: one child run each, without the model."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.tracking.observer import MlflowObserver
from image_translation.tracking.records import RunRecord
from image_translation.tracking.runs import log_metrics
from image_translation.tracking.store import client, tolerate_store
from image_translation.training.settings import ModelSettings
from image_translation.tuning.search import TRIAL


class TrialsObserver(MlflowObserver):
    """Writes trials into child runs; what a trial is stands in its folder."""

    def _describe(
        self, replicate: int, settings: ModelSettings, cost: Mapping[str, Any]
    ) -> RunRecord:
        trial = json.loads((self._folder / TRIAL).read_text("utf-8"))
        self._model = trial["model"]
        record = super()._describe(replicate, settings, cost)
        tags = {"study": trial["study"], "trial": str(trial["trial"])}
        searched = {f"searched.{k}": str(v) for k, v in trial["parameters"].items()}
        return replace(
            record,
            name=f"{self._model} trial {trial['trial']}",
            tags={**record.tags, **tags},
            parameters={**searched, **record.parameters},
            keeps_model=False,
        )

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Add a point to every curve; pictures of every trial would be too many."""
        super().on_epoch(epoch, metrics, None)


@tolerate_store
def log_tuning(run_id: str, trials: pd.DataFrame, files: list[Path]) -> None:
    """Log what a tuning found to a parent run: the best scores, tables and figures.

    Args:
        run_id: The parent run.
        trials: ``trials.csv``.
        files: What is kept with the run.
    """
    from image_translation.metrics import METRICS

    complete = trials[trials["state"] == "complete"]
    best = {}
    for (model, metric), rows in complete.groupby(["model", "metric"]):
        scores = rows["score"]
        higher = METRICS[str(metric)].higher_is_better
        best[f"{model}/tuning/{metric}"] = scores.max() if higher else scores.min()
    log_metrics(run_id, best)
    for file in filter(Path.is_file, files):
        client().log_artifact(run_id, str(file), "tuning")
