"""Events of a task that MLflow lacks, from trainings and from runs of pipelines."""

import logging
from pathlib import Path

from image_translation.common.files import LockedError, lock
from image_translation.common.stamps import Stamp
from image_translation.runs.events import EventLog
from image_translation.runs.mlflow_position import LOCK, Sent, is_pending, read_sent
from image_translation.runs.mlflow_sender import LogDataset, Sender
from image_translation.runs.pipeline_run import list_runs, remove_sent
from image_translation.runs.store import connection
from image_translation.runs.task_state import TaskFolders
from image_translation.runs.training_run import read_training

logger = logging.getLogger(__name__)


def send_backlog(folders: TaskFolders, log_dataset: LogDataset) -> int:
    """Send everything that MLflow lacks of a task, until the store fails.

    Args:
        folders: The folders of the task.
        log_dataset: Logs a dataset of the task.

    Returns:
        The number of trainings and runs that were sent.
    """
    count = 0
    for folder in find_pending_trainings(folders.models):
        send_training(folder)
        if connection.is_lost:
            return count
        count += 1
    for run in list_runs(folders):
        has_news = is_pending(run.folder)
        send_run(run.folder, log_dataset)
        if connection.is_lost:
            return count
        count += has_news
    remove_sent(folders)
    return count


def find_pending_trainings(models: Path) -> list[Path]:
    """The replicates and trials whose events MLflow lacks.

    Args:
        models: The task's folder of models.
    """
    return [folder for folder in list_trainings(models) if is_training_pending(folder)]


def list_trainings(models: Path) -> list[Path]:
    """The folders of all replicates and trials, sorted.

    Args:
        models: The task's folder of models.
    """
    return sorted([*models.glob("*/replicate-*"), *models.glob("tuning/*/trial-*")])


def is_training_pending(folder: Path) -> bool:
    """Whether MLflow lacks events of a replicate or a trial."""
    return is_pending(folder) or _is_end_missing(folder)


def send_training(folder: Path) -> Sent:
    """Send the log of a replicate, unless another process does.

    Returns:
        The state afterwards.
    """
    try:
        with lock(folder / LOCK):
            if _is_end_missing(folder):
                EventLog(folder).append("trained")
            if is_pending(folder):
                logger.info("Sending %s to MLflow", folder)
            return Sender(folder).send()
    except LockedError:
        logger.info("%s: another process trains or sends it", folder)
        return read_sent(folder)


def send_run(folder: Path, log_dataset: LogDataset) -> None:
    """Send the log of a pipeline's run, to which several processes may append."""
    if is_pending(folder):
        with lock(folder / LOCK, wait=True):
            Sender(folder, log_dataset).send()


def _is_end_missing(folder: Path) -> bool:
    """Whether a training ended without recording it, as when its process was killed."""
    if Stamp(folder).read() is None or read_training(folder) is None:
        return False
    return EventLog(folder).read()[-1]["event"] != "trained"
