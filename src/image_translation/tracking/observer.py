"""A training, live in MLflow: one child run for each replicate."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_translation.schema import flatten
from image_translation.tracking.records import DatasetInput, RunRecord, read_record
from image_translation.tracking.runs import log_metrics
from image_translation.tracking.sending import (
    curves_of,
    finish,
    forget_pictures,
    hold,
    keep_picture,
    leave,
    now,
    open_run,
    send_curves,
    send_picture,
)
from image_translation.tracking.store import client, tolerate_store
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import HISTORY, TrainedReplicate

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor


class MlflowObserver:
    """Writes what happens in a training into child runs of a parent run.

    What the store does not take stays in the replicate's folder; see `sending`.

    Args:
        task: Name of the task, and of its experiment.
        model: Name of the model.
        parent_run_id: The run of the pipeline.
        inputs: What the model is trained on.
        translation: The strategy by which it translates photographs of any size.
        environment: Name of the configuration's environment.
    """

    def __init__(
        self,
        task: str,
        model: str,
        parent_run_id: str,
        inputs: Sequence[DatasetInput],
        translation: Mapping[str, Any],
        environment: str = "",
    ) -> None:
        self._task, self._model = task, model
        self._parent_run_id = parent_run_id
        self._inputs = tuple(inputs)
        self._translation = translation
        self._environment = environment
        self._folder = Path()
        self._record: RunRecord | None = None
        self._told: set[int] = set()
        self._held = ExitStack()
        self._monitor: SystemMetricsMonitor | None = None

    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """Open the replicate's run, or go on with the one of a training cut off."""
        self._folder = folder
        self._release()
        self._held.enter_context(hold(folder))
        is_continued = (folder / HISTORY).exists()
        record = read_record(folder) if is_continued else None
        if record is None:
            self._end_before(read_record(folder))
            record = self._describe(replicate, settings, cost)
            forget_pictures(folder)
        self._record = record.change(folder, is_complete=False, is_left=False)
        self._told = set()
        self._open()

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Add a point to every curve, and a picture."""
        if self._record is None or epoch in self._told:
            return
        self._tell(epoch, metrics, samples)
        if epoch not in self._told and samples is not None:
            keep_picture(self._folder, epoch, samples)

    def on_end(self, trained: TrainedReplicate) -> None:
        """Add the model and close the run."""
        self._stop_monitor()
        self._finish(trained)
        self._release()

    def close(self) -> None:
        """Mark a run that was left in the middle."""
        self._stop_monitor()
        if self._record is not None:
            self._abandon(self._record.change(self._folder, is_left=True))
        self._release()

    def _release(self) -> None:
        self._record = None
        self._held.close()

    @tolerate_store
    def _finish(self, trained: TrainedReplicate) -> None:
        if self._record is not None and self._record.run_id is not None:
            finish(self._folder, self._record, trained)

    @tolerate_store
    def _abandon(self, record: RunRecord) -> None:
        if record.run_id is not None:
            leave(self._folder, record)

    @tolerate_store
    def _end_before(self, record: RunRecord | None) -> None:
        """End the run of a training before that was cut off, and is not gone on with."""
        if record is not None and record.run_id is not None and not record.is_complete:
            client().set_terminated(record.run_id, "KILLED")

    @tolerate_store
    def _open(self) -> None:
        if self._record is None:
            return
        self._record = open_run(self._folder, self._record)
        if (self._folder / HISTORY).exists():
            send_curves(self._folder, self._record)
            points = client().get_metric_history(
                self._record.run_id or "", "train/seconds"
            )
            self._told = {point.step for point in points}
        self._start_monitor()

    @tolerate_store
    def _tell(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        if self._record is None or self._record.run_id is None:
            return
        log_metrics(self._record.run_id, curves_of(metrics), step=epoch)
        if samples is not None:
            send_picture(self._record, epoch, samples)
        self._told.add(epoch)

    def _describe(
        self, replicate: int, settings: ModelSettings, cost: Mapping[str, Any]
    ) -> RunRecord:
        return describe_run(
            self._task,
            self._model,
            replicate,
            settings,
            cost,
            self._translation,
            self._inputs,
            {
                "mlflow.parentRunId": self._parent_run_id,
                "environment": self._environment,
            },
        )

    def _start_monitor(self) -> None:
        """Watch processor, memory, disk and accelerator every ten seconds."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        if self._record is not None and self._record.run_id is not None:
            self._monitor = SystemMetricsMonitor(
                self._record.run_id, resume_logging=True
            )
            self._monitor.start()

    def _stop_monitor(self) -> None:
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None


def describe_run(
    task: str,
    model: str,
    replicate: int,
    settings: ModelSettings,
    cost: Mapping[str, Any],
    translation: Mapping[str, Any],
    inputs: Sequence[DatasetInput] = (),
    tags: Mapping[str, str] | None = None,
) -> RunRecord:
    """The record of a replicate's run: its name, tags, parameters and inputs.

    Args:
        task: Name of the task, and of its experiment.
        model: Name of the model.
        replicate: Number of the replicate.
        settings: The model's settings.
        cost: What is known of its cost.
        translation: The strategy by which it translates photographs of any size.
        inputs: What it is trained on.
        tags: More tags.
    """
    values = settings.model_dump(mode="json")
    values["training"]["seed"] += replicate
    environment = _environment()
    return RunRecord(
        name=f"{model} replicate {replicate}",
        experiment=task,
        tags={
            **_context_tags(),
            **{name: value for name, value in (tags or {}).items() if value},
            "task": task,
            "model": model,
            "replicate": str(replicate),
            "code_version": environment["commit"],
            **{
                f"{given.context}_data_digest": given.fingerprint[:16]
                for given in inputs
            },
        },
        parameters={
            name: str(value)
            for name, value in {
                **flatten(values),
                **{f"cost.{name}": value for name, value in cost.items()},
                **{f"environment.{name}": value for name, value in environment.items()},
            }.items()
        },
        inference=values["inference"],
        translation=dict(translation),
        inputs=tuple(inputs),
        started=now(),
    )


@cache
def _environment() -> dict[str, str]:
    """Versions and machine, without the date."""
    from image_translation.reporting.environment import describe_environment

    return {k: v for k, v in describe_environment().items() if k != "date"}


@cache
def _context_tags() -> dict[str, str]:
    """What MLflow itself says of who runs what: user, program, commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return resolve_tags()
