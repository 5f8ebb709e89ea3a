"""What MLflow has missed of a task, sent later.

The runs of trainings are compared with their folders (`sending`). Of a pipeline's run that
the store did not see end, a note is kept: the report is sent, and the run is closed.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.tracking.runs import log_comparison
from image_translation.tracking.sending import is_complete, is_finished, send
from image_translation.tracking.store import client, connection, tolerate_store

logger = logging.getLogger(__name__)

NOTE = "unsent_runs.json"


def note_run(
    models: Path, run_id: str, status: str, *, has_report: bool = True
) -> None:
    """Keep in mind that a pipeline's run was not told its end.

    Args:
        models: The task's folder of models.
        run_id: The run.
        status: How it ended, in MLflow's words.
        has_report: Whether it wrote the report, which then belongs to it.
    """
    models.mkdir(parents=True, exist_ok=True)
    note = {"status": status, "has_report": has_report}
    notes = {**_read_notes(models), run_id: note}
    (models / NOTE).write_text(json.dumps(notes, indent=1) + "\n", "utf-8")


def find_backlog(models: Path) -> list[Path]:
    """The finished trainings of a task that the store has not been told all of."""
    folders = (*models.glob("*/replicate-*"), *models.glob("tuning/*/trial-*"))
    return [
        folder
        for folder in sorted(folders)
        if is_finished(folder) and not is_complete(folder)
    ]


@tolerate_store
def send_backlog(models: Path, reporting: Path) -> None:
    """Send what the store has missed of a task; ends with the first failure.

    Args:
        models: The task's folder of models.
        reporting: The task's folder of reports.
    """
    for folder in find_backlog(models):
        send(folder)
    notes = _read_notes(models)
    for run_id, note in list(notes.items()):
        logger.info("sending its end to run %s", run_id)
        _send_end(run_id, note["status"], reporting if note["has_report"] else None)
        if connection.is_lost:
            return
        del notes[run_id]
        (models / NOTE).write_text(json.dumps(notes, indent=1) + "\n", "utf-8")
    if not notes:
        (models / NOTE).unlink(missing_ok=True)


def _send_end(run_id: str, status: str, reporting: Path | None) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client().get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # another store than before
            return
        raise
    if reporting is not None and (reporting / "comparison.csv").is_file():
        log_comparison(run_id, pd.read_csv(reporting / "comparison.csv"), reporting)
    client().set_terminated(run_id, status)


def _read_notes(models: Path) -> dict[str, dict[str, Any]]:
    try:
        return json.loads((models / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
