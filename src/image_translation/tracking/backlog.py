"""What MLflow has missed of a task, sent later.

The runs of trainings are compared with their folders (`sending`). Of a pipeline's run,
what the store was not told is noted, line by line; several processes may do so at a time.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from image_translation.common.files import lock, write_text
from image_translation.tracking.sending import is_behind, send
from image_translation.tracking.store import client, connection, tolerate_store

logger = logging.getLogger(__name__)

NOTES = "unsent_runs.jsonl"
LOCK = "unsent_runs.lock"

Note = dict[str, str]
"""Of a ``run``, a dataset that it has ``saved``, or the ``status`` that it ended with."""


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


def forget_saved(models: Path, dataset: str) -> None:
    """Tell no run of a dataset any more, which is no longer what the run has saved."""
    _forget(models, lambda note: note.get("saved") == dataset)


def find_backlog(models: Path) -> list[Path]:
    """The trainings of a task whose end the store has yet to hear."""
    folders = (*models.glob("*/replicate-*"), *models.glob("tuning/*/trial-*"))
    return list(filter(is_behind, sorted(folders)))


def send_backlog(
    models: Path, log: Callable[[str, str], None], going_on: str | None = None
) -> None:
    """Send what the store has missed of a task, until it fails again.

    Args:
        models: The task's folder of models.
        log: Tells a run, given by its id, of a dataset, given by its name.
        going_on: A run that goes on, whatever end of it was noted.
    """
    for folder in find_backlog(models):
        _send_training(folder)
    notes = _read_notes(models)
    # What was saved anew since is no longer what an earlier run has saved.
    saved_by = {note["saved"]: note["run"] for note in notes if "saved" in note}
    for run_id in dict.fromkeys(note["run"] for note in notes):
        sent = [note for note in notes if note["run"] == run_id]
        datasets = [name for name, owner in saved_by.items() if owner == run_id]
        ends = [note["status"] for note in sent if "status" in note]
        end = ends[-1] if ends and run_id != going_on else None
        _send_run(run_id, datasets, end, log)
        if connection.is_lost:
            return
        _forget(models, sent.__contains__)


@tolerate_store
def _send_training(folder: Path) -> None:
    send(folder)


@tolerate_store
def _send_run(
    run_id: str, datasets: list[str], end: str | None, log: Callable[[str, str], None]
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
    if end is not None and not connection.is_lost:
        client().set_terminated(run_id, end)


def _note(models: Path, note: Note) -> None:
    models.mkdir(parents=True, exist_ok=True)
    with (
        lock(models / LOCK, wait=True),
        (models / NOTES).open("a", encoding="utf-8") as file,
    ):
        # A line that a full disk has cut off then spoils no other.
        file.write("\n" + json.dumps(note))


def _read_notes(models: Path) -> list[Note]:
    try:
        lines = (models / NOTES).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [note for line in filter(None, lines) if (note := _parse(line)) is not None]


def _parse(line: str) -> Note | None:
    try:
        note = json.loads(line)
    except ValueError:
        note = None
    if isinstance(note, dict) and "run" in note:
        return note
    logger.warning("%s: ignoring %r, which is no note", NOTES, line)
    return None


def _forget(models: Path, is_done: Callable[[Note], bool]) -> None:
    if not (models / NOTES).exists():
        return
    with lock(models / LOCK, wait=True):
        left = [note for note in _read_notes(models) if not is_done(note)]
        write_text(models / NOTES, "".join("\n" + json.dumps(note) for note in left))
        if not left:
            (models / NOTES).unlink()
