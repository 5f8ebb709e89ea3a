"""What a task's runs have left behind and nothing needs any more.

Kept are the newest runs and versions, and those that something depends on: the champion,
its predecessor, every alias, the models on disk, and results that MLflow lacks.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from image_translation.registry.versions import (
    CHAMPION,
    PARTIAL,
    ROLLED_BACK_TAG,
    WEIGHTS_TAG,
    find_version,
    folder_name,
    list_versions,
    predecessor,
)
from image_translation.runs.backlog import is_training_pending, list_trainings
from image_translation.runs.mlflow_position import read_run_id
from image_translation.runs.pipeline_run import list_runs
from image_translation.runs.retention import Leftover, find_old_runs, leave_folder
from image_translation.runs.store import client
from image_translation.runs.task_state import TaskFolders
from image_translation.tuning.search import TRIAL

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

DOWNLOAD = re.compile(r"[0-9a-f]{16}(-[0-9a-f]{16})?")
"""Names of the folders of downloaded champions."""

ABANDONED_SECONDS = 24 * 3600.0
"""Age at which an incomplete download counts as that of a killed process."""


def find_leftovers(folders: TaskFolders, keep: int, environment: str) -> list[Leftover]:
    """What may be removed of a task, in the order of removal.

    Args:
        folders: The folders of the task. The caller holds their lock.
        keep: Number of the newest runs with results, runs without, versions, and studies
            of each model that are kept.
        environment: Name of the configuration's environment.
    """
    studies = _find_old_studies(folders.models / "tuning", keep)
    on_disk = _find_runs_on_disk(folders, studies)
    versions, champions = list_versions(folders.task), _find_champions(folders.task)
    kept = _choose_versions(folders.task, versions, champions, keep, on_disk)
    needed = on_disk | {version.tags.get("run", "") for version in kept}
    models = {(version.source or "").removeprefix("models:/") for version in kept}
    return [
        *(_leave_version(version) for version in versions if version not in kept),
        *find_old_runs(folders.task, environment, keep, needed, models),
        *(leave_folder(f"trials of the study {s.name}", s) for s in studies),
        *_find_old_downloads(folders.models / CHAMPION, champions),
    ]


def _find_old_studies(tuning: Path, keep: int) -> list[Path]:
    """Studies beyond the newest of each model, except those with unsent trials."""
    by_model: dict[str, list[tuple[float, Path]]] = defaultdict(list)
    for study in tuning.glob("*/"):
        trials = list(study.glob(f"trial-*/{TRIAL}"))
        if trials:
            model = json.loads(trials[0].read_text("utf-8"))["model"]
            newest = max(trial.stat().st_mtime for trial in trials)
            by_model[model].append((newest, study))
    return [
        study
        for found in by_model.values()
        for _, study in sorted(found, reverse=True)[keep:]
        if not any(map(is_training_pending, study.glob("trial-*")))
    ]


def _find_runs_on_disk(folders: TaskFolders, studies: Collection[Path]) -> set[str]:
    """The runs of all logs, replicates and trials, except those of old studies."""
    trainings = list_trainings(folders.models)
    known = [folder for folder in trainings if folder.parent not in studies]
    known += [run.folder for run in list_runs(folders)]
    return {run_id for run_id in map(read_run_id, known) if run_id is not None}


def _find_champions(task: str) -> list["ModelVersion"]:
    """The champion, and the version that a rollback would restore."""
    current = find_version(task, CHAMPION)
    before = current and predecessor(current)
    return [version for version in (current, before) if version is not None]


def _choose_versions(
    task: str,
    versions: Sequence["ModelVersion"],
    champions: Sequence["ModelVersion"],
    keep: int,
    on_disk: Collection[str],
) -> list["ModelVersion"]:
    """The versions that are kept: the newest, and those that something depends on.

    Versions that were rolled back are kept, so that no run promotes them again, as are
    those that no run of this project registered.
    """
    if not versions:
        return []
    own = [int(v.version) for v in versions if WEIGHTS_TAG in v.tags]
    numbers = sorted(own, reverse=True)[:keep]
    numbers += map(int, client().get_registered_model(task).aliases.values())
    numbers += (int(version.version) for version in champions)
    return [
        version
        for version in versions
        if int(version.version) in numbers
        or int(version.version) not in own
        or ROLLED_BACK_TAG in version.tags
        or version.tags.get("run") in on_disk
    ]


def _leave_version(version: "ModelVersion") -> Leftover:
    number = str(version.version)
    remove = partial(client().delete_model_version, version.name, number)
    return Leftover(f"version {number} of the registered model", 0, remove)


def _find_old_downloads(
    folder: Path, champions: Sequence["ModelVersion"]
) -> Iterator[Leftover]:
    """Downloads of former champions, and those that a killed process left."""
    kept = {folder_name(v) for v in champions if WEIGHTS_TAG in v.tags}
    for path in sorted(folder.glob("*/")):
        is_partial = path.name.startswith(PARTIAL)
        is_abandoned = time.time() - path.stat().st_mtime > ABANDONED_SECONDS
        if DOWNLOAD.fullmatch(path.name) and path.name not in kept:
            yield leave_folder(f"download of a former champion ({path.name})", path)
        elif is_partial and is_abandoned:
            yield leave_folder(f"incomplete download ({path.name})", path)
