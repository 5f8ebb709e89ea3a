"""Pairs and models of a task on disk, to compare before and after a run."""

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TaskFolders:
    """The folders of a task that a run reads or writes.

    Attributes:
        data: The folder of all data, ``data/`` or that of an environment.
        task: Name of the task.
    """

    data: Path
    task: str

    @property
    def intermediate(self) -> Path:
        """Holds the manifest and the lock of runs."""
        return self.data / "02_intermediate" / self.task

    @property
    def runs(self) -> Path:
        """Holds a folder for each run with its event log."""
        return self.intermediate / "runs"

    @property
    def primary(self) -> Path:
        """Holds the split."""
        return self.data / "03_primary" / self.task

    @property
    def models(self) -> Path:
        """Holds a folder for each model."""
        return self.data / "06_models" / self.task

    @property
    def reporting(self) -> Path:
        """Holds the report and the summary of the last run."""
        return self.data / "08_reporting" / self.task


@dataclass(frozen=True)
class ModelState:
    """A model on disk.

    Attributes:
        status: ``trained``, ``failed`` or ``not run``.
        reason: Why it failed or was not run.
        replicates: Name of each replicate's folder → when its training ended, as a
            number that changes with every training.
    """

    status: str
    reason: str
    replicates: dict[str, int]


@dataclass(frozen=True)
class TaskState:
    """Pairs and models of a task on disk.

    Attributes:
        pairs: Id of every pair of the manifest → its verdict.
        models: The models that were trained, or tried.
    """

    pairs: dict[str, str]
    models: dict[str, ModelState]

    @classmethod
    def read(cls, folders: TaskFolders) -> "TaskState":
        """Read the disk; missing files count as empty."""
        found = sorted(folders.models.glob("*/model.json"))
        models = {path.parent.name: _read_model(path) for path in found}
        return cls(_read_pairs(folders.intermediate / "manifest.csv"), models)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TaskState":
        """Restore from the values of `to_dict`."""
        models = {
            name: ModelState(**model) for name, model in content["models"].items()
        }
        return cls(content["pairs"], models)


def _read_pairs(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        return {row["pair_id"]: row["verdict"] for row in csv.DictReader(file)}


def _read_model(path: Path) -> ModelState:
    content = json.loads(path.read_text("utf-8"))
    configs = sorted(path.parent.glob("replicate-*/config.json"))
    ended = {config.parent.name: config.stat().st_mtime_ns for config in configs}
    replicates = {name: ended[name] for name in content["replicates"] if name in ended}
    return ModelState(content["status"], content["reason"], replicates)
