"""A training, live in MLflow: one child run for each replicate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_translation.schema import flatten
from image_translation.tracking.runs import (
    client,
    log_image,
    log_metrics,
    log_parameters,
    read_run_id,
    tolerate_store,
    write_run_id,
)
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import (
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)


@dataclass(frozen=True)
class DatasetInput:
    """Data that a run was given.

    Attributes:
        name: Name in the catalog.
        context: ``train`` or ``validation``.
        fingerprint: Digest of the data.
        n_pairs: How many pairs there are.
    """

    name: str
    context: str
    fingerprint: str
    n_pairs: int


class MlflowObserver:
    """Writes what happens in a training into child runs of a parent run.

    Args:
        task: Name of the task.
        model: Name of the model.
        experiment_id: The experiment of the task.
        parent_run_id: The run of the pipeline.
        inputs: What the model is trained on.
    """

    def __init__(
        self,
        task: str,
        model: str,
        experiment_id: str,
        parent_run_id: str,
        inputs: Sequence[DatasetInput],
    ) -> None:
        self._tags = {"task": task, "model": model, "mlflow.parentRunId": parent_run_id}
        self._experiment_id = experiment_id
        self._inputs = inputs
        self._run_id: str | None = None

    @tolerate_store
    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """Create the replicate's run, or go on with the one of a training cut off."""
        self._run_id = None
        is_continued = (folder / HISTORY).exists()
        known = read_run_id(folder) if is_continued else None
        if known is not None:
            client().update_run(known, status="RUNNING")
            self._run_id = known
            return
        name = f"{self._tags['model']} replicate {replicate}"
        tags = {**self._tags, "replicate": str(replicate), "mlflow.runName": name}
        run_id = client().create_run(self._experiment_id, tags=tags).info.run_id
        write_run_id(folder, run_id)
        self._run_id = run_id
        values = settings.model_dump(mode="json")
        values["training"]["seed"] += replicate
        log_parameters(run_id, flatten(values))
        log_parameters(run_id, {f"cost.{name}": value for name, value in cost.items()})
        self._log_inputs(run_id)

    @tolerate_store
    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Add a point to every curve, and a picture."""
        if self._run_id is None:
            return
        curves = {
            name if "/" in name else f"train/{name}": value
            for name, value in metrics.items()
            if name != "epoch" and np.isfinite(value)
        }
        log_metrics(self._run_id, curves, step=epoch)
        if samples is not None:
            log_image(self._run_id, samples, key="validation_samples", step=epoch)

    @tolerate_store
    def on_end(self, trained: TrainedReplicate) -> None:
        """Add the model and close the run."""
        if self._run_id is None:
            return
        for name in (WEIGHTS, CONFIG, HISTORY):
            client().log_artifact(self._run_id, str(trained.folder / name), "model")
        log_metrics(
            self._run_id,
            {
                "cost/seconds": trained.cost["seconds"],
                "cost/images_per_second": trained.cost["images_per_second"],
            },
        )
        status = "FAILED" if trained.failure else "FINISHED"
        client().set_terminated(self._run_id, status)
        self._run_id = None

    @tolerate_store
    def close(self) -> None:
        """Mark a run that was left in the middle."""
        if self._run_id is not None:
            client().set_terminated(self._run_id, "KILLED")
            self._run_id = None

    def _log_inputs(self, run_id: str) -> None:
        from mlflow.entities import Dataset, InputTag
        from mlflow.entities import DatasetInput as LoggedInput

        datasets = [
            LoggedInput(
                Dataset(
                    name=given.name,
                    digest=given.fingerprint[:16],
                    source_type="local",
                    source=given.name,
                    profile=f'{{"num_pairs": {given.n_pairs}}}',
                ),
                [InputTag("mlflow.data.context", given.context)],
            )
            for given in self._inputs
        ]
        client().log_inputs(run_id, datasets)
