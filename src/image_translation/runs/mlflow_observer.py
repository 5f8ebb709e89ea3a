"""Trainings in MLflow: one run for each replicate, a child of the pipeline's run."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.files import LockedError, atomic_write, lock
from image_translation.runs.events import EventLog, guarded
from image_translation.runs.mlflow_position import LOCK, Sent
from image_translation.runs.mlflow_sender import PICTURES, Sender, picture_path
from image_translation.runs.store import connection
from image_translation.runs.training_run import (
    describe_training,
    read_training,
    start_log,
)
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import HISTORY, TrainedReplicate

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor


class MlflowObserver:
    """Records a training in the event log of its folder, and sends each event.

    Args:
        task: Name of the task, and of its experiment.
        model: Name of the model.
        parent_run_id: The run of the pipeline.
        inputs: The data that the model is trained on; see `describe_training`.
        translation: The strategy by which it translates photographs of any size.
        environment: Name of the configuration's environment.
    """

    def __init__(
        self,
        task: str,
        model: str,
        parent_run_id: str,
        inputs: Sequence[Mapping[str, Any]],
        translation: Mapping[str, Any],
        environment: str = "",
    ) -> None:
        self._task, self._model = task, model
        self._parent_run_id = parent_run_id
        self._inputs = tuple(inputs)
        self._translation = translation
        self._environment = environment
        self._folder: Path | None = None
        self._sender: Sender | None = None
        self._epochs: set[int] = set()
        self._held = ExitStack()
        self._monitor: SystemMetricsMonitor | None = None

    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """Create the replicate's run, or resume that of an interrupted training."""
        self._release()
        with guarded():
            self._hold(folder)
            if (folder / HISTORY).exists() and read_training(folder) is not None:
                EventLog(folder).append("resumed")
            else:
                for picture in (folder / PICTURES).glob("*.png"):
                    picture.unlink()
                start_log(folder, self._describe(folder, replicate, settings, cost))
            self._folder, self._sender = folder, Sender(folder)
            events = EventLog(folder).read()
            self._epochs = {e["epoch"] for e in events if e["event"] == "epoch"}
            sent = self._sender.send()
            self._start_monitor(sent)

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Add a point to every curve, and a picture."""
        if self._folder is None or epoch in self._epochs:
            return  # a resumed training repeats the epochs since its checkpoint
        self._epochs.add(epoch)
        if samples is not None:
            with (
                guarded(),
                atomic_write(picture_path(self._folder, epoch)) as temporary,
            ):
                Image.fromarray(samples).save(temporary, "png")
        figures = {name: float(value) for name, value in metrics.items()}
        self._record("epoch", epoch=epoch, metrics=figures)

    def on_end(self, trained: TrainedReplicate) -> None:
        """Add the model and end the run."""
        self._stop_monitor()
        self._record("trained")
        self._release()

    def close(self) -> None:
        """Mark the run of an interrupted training."""
        self._stop_monitor()
        self._record("ended", status="KILLED")
        self._release()

    def _record(self, event: str, **values: Any) -> None:
        with guarded():
            if self._folder is not None and self._sender is not None:
                EventLog(self._folder).append(event, **values)
                self._sender.send()

    def _hold(self, folder: Path) -> None:
        """Keep other processes from sending the log while it grows."""
        try:
            self._held.enter_context(lock(folder / LOCK))
        except LockedError:
            pass  # another process is sending it; counted events are not sent twice

    def _release(self) -> None:
        self._folder = self._sender = None
        self._held.close()

    def _describe(
        self,
        folder: Path,
        replicate: int,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> dict[str, Any]:
        tags = {
            "mlflow.parentRunId": self._parent_run_id,
            "environment": self._environment,
        }
        return describe_training(
            self._task,
            self._model,
            replicate,
            settings,
            cost,
            self._translation,
            self._inputs,
            tags,
        )

    def _start_monitor(self, sent: Sent) -> None:
        """Watch processor, memory, disk and accelerator every ten seconds."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        if sent.run_id is not None and not connection.is_lost:
            self._monitor = SystemMetricsMonitor(sent.run_id, resume_logging=True)
            self._monitor.start()

    def _stop_monitor(self) -> None:
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None
