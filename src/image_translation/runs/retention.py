"""Old runs of a task in MLflow, and their removal with artifacts and models."""

import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from image_translation.common.foreign_internals import erase_model, erase_run, erases
from image_translation.runs.store import client, local_folder

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

PARENT = "mlflow.parentRunId"
LINK = re.compile(r"\w+\.replicate-\d+")
"""Tags of a run that name the runs which trained its models."""


@dataclass(frozen=True)
class Leftover:
    """Something that may be removed.

    Attributes:
        name: What it is.
        size: Bytes on this machine.
        remove: Removes it.
    """

    name: str
    size: int
    remove: Callable[[], object]


def leave_folder(name: str, folder: Path) -> Leftover:
    """A folder that may be removed.

    Args:
        name: What it is.
        folder: The folder.
    """
    return Leftover(name, size_of(folder), partial(shutil.rmtree, folder))


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; 0 if it does not exist."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def find_old_runs(
    task: str,
    environment: str,
    keep: int,
    needed: Collection[str],
    models_in_use: Collection[str],
) -> Iterator[Leftover]:
    """Old runs of a task, with their artifacts and models.

    Runs without the tags that this project gives them are left alone.

    Args:
        task: Name of the task.
        environment: Name of the configuration's environment.
        keep: Number of the newest runs that are kept.
        needed: Ids of runs that are kept.
        models_in_use: Ids of models that are kept.
    """
    import mlflow

    experiment = client().get_experiment_by_name(task)
    if experiment is None:
        return
    place = [experiment.experiment_id]
    tags = {"task": task, "environment": environment}
    found = mlflow.search_runs(place, output_format="list")
    runs = [run for run in found if run.data.tags.items() >= tags.items()]
    models: dict[str | None, list[LoggedModel]] = defaultdict(list)
    for model in mlflow.search_logged_models(place, output_format="list"):
        if model.model_id not in models_in_use:
            models[model.source_run_id].append(model)
    kept = _choose_runs(runs, keep, needed)
    for run in runs:
        if run.info.run_id not in kept:
            yield _leave_run(run, models[run.info.run_id])


def _choose_runs(runs: Sequence["Run"], keep: int, needed: Collection[str]) -> set[str]:
    """The runs that are kept.

    These are the newest runs of pipelines with all their trainings, single trainings that
    these link to or that are needed, and the run of the pipeline of each, which has the
    report.
    """
    newest = _choose_newest([r for r in runs if PARENT not in r.data.tags], keep)
    whole = {run.info.run_id for run in newest}
    links = (run.data.tags.items() for run in newest)
    linked = {run_id for tags in links for tag, run_id in tags if LINK.fullmatch(tag)}
    single = whole | linked | set(needed)
    kept = [
        run
        for run in runs
        if run.info.run_id in single
        or run.data.tags.get(PARENT) in whole
        or run.info.status == "RUNNING"
    ]
    parents = {run.data.tags[PARENT] for run in kept if PARENT in run.data.tags}
    return parents | {run.info.run_id for run in kept}


def _choose_newest(parents: Sequence["Run"], keep: int) -> list["Run"]:
    """The newest runs of pipelines, and those that are running.

    A run has parameters if it had results. Runs without are counted separately, so that
    nights without news do not displace the run that has the report.
    """
    parents = sorted(parents, key=lambda run: run.info.start_time, reverse=True)
    with_results = [run for run in parents if run.data.params]
    without = [run for run in parents if not run.data.params]
    running = [run for run in parents if run.info.status == "RUNNING"]
    return [*with_results[:keep], *without[:keep], *running]


def _leave_run(run: "Run", models: Sequence["LoggedModel"]) -> Leftover:
    folders = [_find_folder(run.info.artifact_uri, run.info.run_id)]
    folders += [_find_folder(m.artifact_location, m.model_id) for m in models]
    size = sum(size_of(folder) for folder in folders if folder is not None)
    name = f"MLflow run {run.info.run_name} ({run.info.run_id[:8]})"
    return Leftover(name, size, partial(_remove_run, run, models))


def _remove_run(run: "Run", models: Sequence["LoggedModel"]) -> None:
    """Remove a run and its models; a tracking server only marks them as deleted.

    Artifacts come first: what an interruption leaves is found again.
    """
    run_id, store = run.info.run_id, client()
    is_erased = erases(store)
    for model in models:
        if is_erased:
            _remove_artifacts(model.artifact_location, model.model_id)
            erase_model(store, model.model_id)
        else:
            store.delete_logged_model(model.model_id)
    if is_erased:
        _remove_artifacts(run.info.artifact_uri, run_id)
        erase_run(store, run_id)
    else:
        store.delete_run(run_id)


def _remove_artifacts(location: str, owner: str) -> None:
    """Remove the artifacts of a run or a model from its own folder, and only there."""
    from mlflow.store.artifact.artifact_repository_registry import (
        get_artifact_repository,
    )

    if not location.rstrip("/").endswith(f"/{owner}/artifacts"):
        return
    get_artifact_repository(location).delete_artifacts()
    folder = _find_folder(location, owner)
    if folder is not None:
        with suppress(OSError):  # it holds something else
            folder.parent.rmdir()


def _find_folder(location: str, owner: str) -> Path | None:
    """The folder on this machine with the artifacts of a run or a model."""
    folder = local_folder(location)
    is_own = folder is not None and folder.parts[-2:] == (owner, "artifacts")
    return folder if is_own else None
