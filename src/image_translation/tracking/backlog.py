"""What MLflow has missed of a task, sent later.

The runs of trainings are compared with their folders (`sending`). Of a pipeline's run,
what the store was not told is noted, line by line, so that several processes can add to it.
"""

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from image_translation.tracking.sending import is_complete, is_finished, send
from image_translation.tracking.store import client, connection, tolerate_store

logger = logging.getLogger(__name__)

NOTES = "unsent_runs.jsonl"


def note_saved(models: Path, run_id: str, dataset: str) -> None:
    """Note that a pipeline's run was not told of a dataset that it has saved.

    Args:
        models: The task's folder of models.
        run_id: The run.
        dataset: Name of the dataset in the catalog.
    """
    _note(models, {"run": run_id, "saved": dataset})


def note_end(models: Path, run_id: str, status: str) -> None:
    """Note that a pipeline's run was not told its end.

    Args:
        models: The task's folder of models.
        run_id: The run.
        status: How it ended, in MLflow's words.
    """
    _note(models, {"run": run_id, "status": status})


def find_backlog(models: Path) -> list[Path]:
    """The finished trainings of a task that the store has not been told all of."""
    folders = (*models.glob("*/replicate-*"), *models.glob("tuning/*/trial-*"))
    return [
        folder
        for folder in sorted(folders)
        if is_finished(folder) and not is_complete(folder)
    ]


def send_backlog(models: Path, log: Callable[[str, str], None]) -> None:
    """Send what the store has missed of a task, until it fails again.

    Args:
        models: The task's folder of models.
        log: Tells a run, given by its id, of a dataset, given by its name.
    """
    for folder in find_backlog(models):
        _send_training(folder)
    notes = _read_notes(models)
    # What was saved anew since is no longer what an earlier run has saved.
    saved_by = {note["saved"]: note["run"] for note in notes if "saved" in note}
    for run_id in dict.fromkeys(note["run"] for note in notes):
        datasets = [name for name, owner in saved_by.items() if owner == run_id]
        ends = [
            note["status"]
            for note in notes
            if note["run"] == run_id and "status" in note
        ]
        _send_run(run_id, datasets, ends, log)
        if connection.is_lost:
            return
        notes = [note for note in notes if note["run"] != run_id]
        _keep_notes(models, notes)


@tolerate_store
def _send_training(folder: Path) -> None:
    send(folder)


@tolerate_store
def _send_run(
    run_id: str,
    datasets: Iterable[str],
    ends: list[str],
    log: Callable[[str, str], None],
) -> None:
    from mlflow.exceptions import MlflowException

    logger.info("sending what it has missed to run %s", run_id)
    try:
        client().get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # another store than before
            return
        raise
    for dataset in datasets:
        log(run_id, dataset)
    if ends:
        client().set_terminated(run_id, ends[-1])


def _note(models: Path, note: dict[str, str]) -> None:
    models.mkdir(parents=True, exist_ok=True)
    with (models / NOTES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(note) + "\n")


def _read_notes(models: Path) -> list[dict[str, str]]:
    try:
        lines = (models / NOTES).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def _keep_notes(models: Path, notes: list[dict[str, str]]) -> None:
    if not notes:
        (models / NOTES).unlink()
        return
    temporary = models / f"{NOTES}.tmp"
    temporary.write_text("".join(json.dumps(note) + "\n" for note in notes), "utf-8")
    temporary.replace(models / NOTES)
