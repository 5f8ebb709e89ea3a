"""Upload of event logs to MLflow, live and after an outage by the same code.

``mlflow.json`` beside a log names the run in MLflow and counts the events that it has. A
sender continues there, so each event is sent once. Live logging sends after each event;
after an outage the next run, or ``kedro send``, sends the rest.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.runs.events import EVENTS, Event, EventLog
from image_translation.runs.logged_model import log_model
from image_translation.runs.mlflow_logging import (
    log_image,
    log_inputs,
    log_metrics,
    log_parameters,
    log_tags,
)
from image_translation.runs.mlflow_position import Sent, read_sent
from image_translation.runs.parent_runs import rename_parent
from image_translation.runs.store import client, connection, find_run
from image_translation.training.interruption import interruptible
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate

logger = logging.getLogger(__name__)

PICTURES = "pictures"
"""Folder beside the log with the pictures that MLflow lacks."""

SERIES = "validation_samples"
"""Name of the pictures in MLflow."""

LogDataset = Callable[[str, str], None]
"""Logs a dataset, given by its name, to a run, given by its id."""


class Sender:
    """Sends one event log to MLflow.

    Args:
        folder: The folder of the log. The caller holds its lock.
        log_dataset: Logs the datasets that a pipeline saves.
    """

    def __init__(self, folder: Path, log_dataset: LogDataset | None = None) -> None:
        self._folder = folder
        self._log = EventLog(folder)
        self._log_dataset = log_dataset
        self._sent = Sent()
        self._is_checked = False
        self._epochs: set[int] | None = None

    def send(self) -> Sent:
        """Send the events that MLflow lacks, in order, until the store fails.

        Returns:
            The state afterwards.
        """
        self._sent = read_sent(self._folder)
        if not self._attempt(self._check_run):
            return self._sent
        events = self._log.read()
        for number in range(self._sent.events, len(events)):
            event = events[number]
            if event["event"] not in _METHODS:
                continue  # not for MLflow
            if not self._attempt(self._send, event):
                break
            if event["event"] == "training" and self._sent.run_id is None:
                break  # MLflow rejected the run: a later attempt may succeed
            self._keep(events=number + 1)
        else:
            self._keep(events=len(events))
        return self._sent

    def _attempt(self, function: Callable[..., None], *arguments: Any) -> bool:
        """Call MLflow; a rejection is logged and skipped.

        Returns:
            Whether the store still answers.
        """
        from mlflow.exceptions import MlflowException

        if connection.is_lost:
            return False
        try:
            with interruptible():
                function(*arguments)
        except (MlflowException, OSError) as error:
            connection.note(error)
        return not connection.is_lost

    def _keep(self, **values: Any) -> None:
        changed = replace(self._sent, **values)
        if changed != self._sent:
            changed.write(self._folder)
            self._sent = changed

    def _check_run(self) -> None:
        """Send everything again if the run is gone, as in another store."""
        if not self._is_checked and self._sent.run_id is not None:
            if find_run(self._sent.run_id) is None:
                self._keep(run_id=None, model_id=None, events=0)
        self._is_checked = True

    def _send(self, event: Event) -> None:
        if self._sent.run_id is not None or event["event"] == "training":
            _METHODS[event["event"]](self, self._sent.run_id or "", event)

    def _create_run(self, run_id: str, event: Event) -> None:
        if run_id:  # of an earlier training in this folder
            end_run(run_id, "KILLED")
        experiment = client().get_experiment_by_name(event["experiment"])
        if experiment is None:
            raise InputError(
                f"MLflow has no experiment {event['experiment']}; run its pipeline first"
            )
        run = client().create_run(
            experiment.experiment_id,
            start_time=event["started"],
            tags=event["tags"],
            run_name=event["name"],
        )
        self._keep(run_id=run.info.run_id, model_id=None, events=1)
        self._epochs = set()

    def _describe(self, run_id: str, event: Event) -> None:
        log_parameters(run_id, event["parameters"])
        log_inputs(run_id, event.get("inputs", []))
        log_tags(run_id, event.get("tags", {}))

    def _resume(self, run_id: str, event: Event) -> None:
        client().update_run(run_id, status="RUNNING")

    def _send_epoch(self, run_id: str, event: Event) -> None:
        epoch, curves = event["epoch"], name_curves(event["metrics"])
        if curves and self._epochs is None:
            # A process that was killed may have sent an epoch without counting it.
            points = client().get_metric_history(run_id, next(iter(curves)))
            self._epochs = {point.step for point in points}
        if curves and self._epochs is not None and epoch not in self._epochs:
            log_metrics(run_id, curves, step=epoch)
            self._epochs.add(epoch)
        picture = picture_path(self._folder, epoch)
        if picture.exists():
            log_image(run_id, np.array(Image.open(picture)), SERIES, epoch)
            picture.unlink()

    def _finish(self, run_id: str, event: Event) -> None:
        """Add model and cost to the run of a finished training, and end it."""
        training = self._log.read()[0]
        try:
            trained = TrainedReplicate.read(self._folder)
        except InputError:  # its files were removed since
            end_run(run_id, "KILLED")
            return
        has_model = trained.best_epoch is not None and training["keeps_model"]
        if self._sent.model_id is None and has_model:
            model_id = log_model(
                run_id,
                trained,
                InferenceSettings.model_validate(training["inference"]),
                training["translation"],
                training["name"],
                {n: training["tags"][n] for n in ("task", "model", "replicate")},
            )
            self._keep(model_id=model_id)
        metrics = {"cost/seconds": trained.cost["seconds"]}
        if "trial" in training["tags"] and trained.validation_score is not None:
            metrics["tuning/score"] = trained.validation_score  # to sort the runs by
        log_metrics(run_id, metrics)
        client().set_terminated(run_id, "FAILED" if trained.failure else "FINISHED")

    def _send_dataset(self, run_id: str, event: Event) -> None:
        from mlflow.exceptions import MlflowException

        name = event["dataset"]
        if self._log_dataset is None or self._is_outdated(event):
            return
        try:
            self._log_dataset(run_id, name)
        except (MlflowException, OSError):
            raise
        except Exception as error:
            logger.warning("Not logged to MLflow: %s (unreadable: %s)", name, error)

    def _is_outdated(self, event: Event) -> bool:
        """Whether the dataset was saved again since, by this run or another."""
        return any(
            other["event"] in ("saved", "replaced")
            and other["dataset"] == event["dataset"]
            and other["time"] > event["time"]
            for path in self._folder.parent.glob(f"*/{EVENTS}")
            for other in EventLog(path.parent).read()
        )

    def _end(self, run_id: str, event: Event) -> None:
        end_run(run_id, event["status"])
        if "shared_by" in event:
            rename_parent(run_id, event["shared_by"])


_METHODS: Mapping[str, Callable[[Sender, str, Event], None]] = {
    "training": Sender._create_run,
    "described": Sender._describe,
    "resumed": Sender._resume,
    "epoch": Sender._send_epoch,
    "trained": Sender._finish,
    "saved": Sender._send_dataset,
    "ended": Sender._end,
}


def end_run(run_id: str, status: str) -> None:
    """Set the final status of a run; only a running one can be killed."""
    if status == "KILLED" and client().get_run(run_id).info.status != "RUNNING":
        return
    client().set_terminated(run_id, status)


def name_curves(metrics: Mapping[Any, float]) -> dict[str, float]:
    """The metrics of an epoch by their names in MLflow, without values that are not finite.

    ``cost/seconds`` has the total of the seconds.
    """
    return {
        name if "/" in name else f"train/{name}": value
        for name, value in metrics.items()
        if name not in ("epoch", "seconds") and np.isfinite(value)
    }


def picture_path(folder: Path, epoch: int) -> Path:
    """The file of an epoch's picture until it is sent."""
    return folder / PICTURES / f"{epoch:05}.png"
