"""The description of a training in MLflow: name, tags, parameters and inputs.

The description is the first event in the log of a replicate, so any later process can
create the run.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.runs.events import Event, EventLog
from image_translation.runs.sent import reset_sent
from image_translation.schema import flatten
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import HISTORY


@dataclass(frozen=True)
class DatasetInput:
    """Data that a training receives.

    Attributes:
        name: Name in the catalog.
        context: ``train`` or ``validation``.
        fingerprint: Digest of the data.
        n_pairs: Number of pairs.
    """

    name: str
    context: str
    fingerprint: str
    n_pairs: int


@dataclass(frozen=True)
class TrainingRun:
    """The description of a replicate's run in MLflow.

    Attributes:
        name: The run's name.
        experiment: The experiment's name, which is the task's.
        tags: Its tags.
        parameters: Its parameters by dotted name.
        inference: The protocol by which the model translates.
        translation: The strategy by which it translates photographs of any size.
        inputs: The data that it is trained on.
        started: Milliseconds since 1970.
        keeps_model: Whether MLflow receives the model as well.
    """

    name: str
    experiment: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    inference: Mapping[str, Any]
    translation: Mapping[str, Any]
    inputs: Sequence[DatasetInput]
    started: int
    keeps_model: bool = True


def start_log(folder: Path, run: TrainingRun) -> None:
    """Begin the log of a new training; the events of an earlier one are removed."""
    log = EventLog(folder)
    log.path.unlink(missing_ok=True)
    reset_sent(folder)
    log.append("training", **asdict(run))
    log.append("described", parameters=dict(run.parameters), inputs=_inputs(run))


def _inputs(run: TrainingRun) -> list[dict[str, Any]]:
    return [asdict(given) for given in run.inputs]


def read_training(folder: Path) -> Event | None:
    """The first event of a replicate's log, or None where no log was kept."""
    events = EventLog(folder).read()
    return events[0] if events and events[0]["event"] == "training" else None


def record_finished(folder: Path, run: TrainingRun) -> None:
    """Write the log of a training that ended without one."""
    start_log(folder, run)
    log = EventLog(folder)
    for row in pd.read_csv(folder / HISTORY).to_dict("records"):
        log.append("epoch", epoch=int(row["epoch"]), metrics=row)
    log.append("trained")


def describe_training(
    task: str,
    model: str,
    replicate: int,
    settings: ModelSettings,
    cost: Mapping[str, Any],
    translation: Mapping[str, Any],
    inputs: Sequence[DatasetInput] = (),
    tags: Mapping[str, str] | None = None,
) -> TrainingRun:
    """Collect name, tags, parameters and inputs of a replicate's run.

    Args:
        task: Name of the task, and of its experiment.
        model: Name of the model.
        replicate: Number of the replicate.
        settings: The model's settings.
        cost: Known cost figures.
        translation: The strategy by which it translates photographs of any size.
        inputs: The data that it is trained on.
        tags: More tags.
    """
    values = settings.model_dump(mode="json")
    values["training"]["seed"] += replicate
    environment = _environment()
    return TrainingRun(
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
        started=int(time.time() * 1000),
    )


@cache
def _environment() -> dict[str, str]:
    """Versions and machine, without the date."""
    from image_translation.reporting.environment import describe_environment

    return {k: v for k, v in describe_environment().items() if k != "date"}


@cache
def _context_tags() -> dict[str, str]:
    """MLflow's own tags: user, program, commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return resolve_tags()
