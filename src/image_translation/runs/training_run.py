"""The description of a training in MLflow: name, tags, parameters and inputs.

The description is the first event in the log of a replicate, so any later process can
create the run.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.common.schema import flatten
from image_translation.runs.events import Event, EventLog
from image_translation.runs.mlflow_position import reset_sent
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import HISTORY


def start_log(folder: Path, training: Mapping[str, Any]) -> None:
    """Begin the log of a new training; the events of an earlier one are removed.

    Args:
        folder: The folder of the replicate.
        training: The description from `describe_training`.
    """
    log = EventLog(folder)
    log.path.unlink(missing_ok=True)
    reset_sent(folder)
    log.append("training", **training)
    details = {name: training[name] for name in ("parameters", "inputs")}
    log.append("described", **details)


def read_training(folder: Path) -> Event | None:
    """The first event of a replicate's log, or None where no log was kept."""
    events = EventLog(folder).read()
    return events[0] if events and events[0]["event"] == "training" else None


def record_finished(folder: Path, training: Mapping[str, Any]) -> None:
    """Write the log of a training that ended without one."""
    start_log(folder, training)
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
    inputs: Sequence[Mapping[str, Any]] = (),
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Describe a replicate's run in MLflow.

    Args:
        task: Name of the task, and of its experiment.
        model: Name of the model.
        replicate: Number of the replicate.
        settings: The model's settings.
        cost: Known cost figures.
        translation: The strategy by which it translates photographs of any size.
        inputs: ``name``, ``context`` (``train`` or ``validation``), ``fingerprint`` and
            ``n_pairs`` of the data that it is trained on.
        tags: More tags.

    Returns:
        JSON values: ``name``, ``experiment``, ``tags``, ``parameters`` by dotted name,
        ``inference``, ``translation``, ``inputs``, ``started`` in milliseconds since
        1970, and ``keeps_model``: whether MLflow receives the model.
    """
    values = settings.model_dump(mode="json")
    values["training"]["seed"] += replicate
    environment = _environment()
    digests = {
        f"{given['context']}_data_digest": given["fingerprint"][:16] for given in inputs
    }
    parameters = {
        **flatten(values),
        **{f"cost.{name}": value for name, value in cost.items()},
        **{f"environment.{name}": value for name, value in environment.items()},
    }
    return {
        "name": f"{model} replicate {replicate}",
        "experiment": task,
        "tags": {
            **_context_tags(),
            **{name: value for name, value in (tags or {}).items() if value},
            "task": task,
            "model": model,
            "replicate": str(replicate),
            "code_version": environment["commit"],
            **digests,
        },
        "parameters": {name: str(value) for name, value in parameters.items()},
        "inference": values["inference"],
        "translation": dict(translation),
        "inputs": list(inputs),
        "started": int(time.time() * 1000),
        "keeps_model": True,
    }


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
