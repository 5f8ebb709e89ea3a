"""Pairs and models of a task on disk, to compare before and after a run."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class TaskFolders:
    """The folders of a task that a run reads or writes.

    Attributes:
        task: Name of the task.
        intermediate: Holds the manifest and the lock of runs.
        runs: Holds a folder for each run with its event log.
        models: Holds a folder for each model.
        reporting: Holds the report and the summary of the last run.

    Args:
        data: The folder of all data, ``data/`` or that of an environment.
        task: Name of the task.
    """

    def __init__(self, data: Path, task: str) -> None:
        self.task = task
        self.intermediate = data / "02_intermediate" / task
        self.runs = self.intermediate / "runs"
        self.models = data / "06_models" / task
        self.reporting = data / "08_reporting" / task


class ModelState(BaseModel):
    """A model on disk.

    Attributes:
        status: ``trained``, ``failed`` or ``not run``.
        reason: The reason of a failure, or why the model was not run.
        replicates: For each replicate's folder a number that changes with every training.
    """

    model_config = ConfigDict(frozen=True)

    status: str
    reason: str
    replicates: dict[str, int]


class TaskState(BaseModel):
    """Pairs and models of a task on disk.

    Attributes:
        pairs: The verdict of each row of the manifest, by the pair's id, which a number
            follows in copies.
        models: The models that were trained, or tried.
    """

    model_config = ConfigDict(frozen=True)

    pairs: dict[str, str]
    models: dict[str, ModelState]

    @classmethod
    def read(cls, folders: TaskFolders) -> "TaskState":
        """Read the state from disk; missing and damaged files count as empty."""
        found = sorted(folders.models.glob("*/model.json"))
        read = {path.parent.name: _read_model(path) for path in found}
        models = {name: model for name, model in read.items() if model is not None}
        manifest = folders.intermediate / "manifest.csv"
        return cls(pairs=_read_pairs(manifest), models=models)


def _read_pairs(manifest: Path) -> dict[str, str]:
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["verdict"]]
        pairs: dict[str, str] = {}
        copies: Counter[str] = Counter()  # a pair's copies have its id
        for row in rows:
            pair = row["pair_id"]
            copies[pair] += 1
            name = pair if copies[pair] == 1 else f"{pair} {copies[pair]}"
            pairs[name] = row["verdict"]
        return pairs
    except (OSError, ValueError, KeyError, csv.Error):
        return {}


def _read_model(path: Path) -> ModelState | None:
    try:
        content = json.loads(path.read_text("utf-8"))
        return _find_state(path, content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _find_state(path: Path, content: dict[str, Any]) -> ModelState:
    configs = sorted(path.parent.glob("replicate-*/config.json"))
    ended = {config.parent.name: config.stat().st_mtime_ns for config in configs}
    replicates = {name: ended[name] for name in content["replicates"] if name in ended}
    return ModelState(
        status=content["status"], reason=content["reason"], replicates=replicates
    )
