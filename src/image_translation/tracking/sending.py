"""A replicate's run, brought to the state of the replicate's folder.

What the run has is compared with what is on disk, and the rest is sent: so nothing is sent
twice, whether a training ends, goes on, or was missed by the store altogether.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.files import LockedError, atomic_write, lock
from image_translation.errors import InputError
from image_translation.fingerprint import Stamp
from image_translation.tracking.models import log_model
from image_translation.tracking.records import RunRecord, read_record
from image_translation.tracking.runs import log_image, log_metrics, log_parameters
from image_translation.tracking.store import client
from image_translation.training.trained import HISTORY, TrainedReplicate

logger = logging.getLogger(__name__)

LOCK = "mlflow.lock"
UNSENT = "unsent"
"""Sub-folder of a replicate's folder with the pictures that the store has not got."""

PICTURES = "validation_samples"


def is_behind(folder: Path) -> bool:
    """Whether the store has yet to hear how the training in a folder ended."""
    record = read_record(folder)
    if record is None:
        return False
    return record.is_left or (is_finished(folder) and not record.is_complete)


def send(folder: Path) -> RunRecord | None:
    """Send what the store does not have of the replicate in a folder.

    Returns:
        The record, or None where the folder was never tracked.

    Raises:
        MlflowException: The store fails.
    """
    record = read_record(folder)
    if record is None or (record.is_complete and _is_known(record)):
        return record
    with hold(folder) as is_mine:
        return _send(folder, record) if is_mine else record


def _send(folder: Path, record: RunRecord) -> RunRecord:
    logger.info("sending %s of %s to MLflow", record.name, record.experiment)
    record = open_run(folder, record)
    send_curves(folder, record)
    trained = _read_finished(folder)
    if trained is None:
        return leave(folder, record)
    return finish(folder, record, trained)


@contextmanager
def hold(folder: Path) -> Iterator[bool]:
    """Keep others from writing the run of a replicate; says whether nobody did before."""
    with ExitStack() as held:
        try:
            held.enter_context(lock(folder / LOCK))
        except LockedError:
            logger.info("%s is being trained, or sent, by another process", folder)
            yield False
        else:
            yield True


def is_finished(folder: Path) -> bool:
    """Whether the replicate in a folder is trained to the end."""
    return Stamp(folder).read() is not None


def open_run(folder: Path, record: RunRecord) -> RunRecord:
    """Make the run of a record, or take it up again."""
    if _is_known(record):
        client().update_run(_run_id(record), status="RUNNING")
    else:
        record = _create_run(folder, record)
    return record if record.is_described else _describe_run(folder, record)


def _create_run(folder: Path, record: RunRecord) -> RunRecord:
    experiment = client().get_experiment_by_name(record.experiment)
    if experiment is None:
        raise InputError(
            f"MLflow has no experiment {record.experiment}; run its pipeline first"
        )
    run = client().create_run(
        experiment.experiment_id,
        start_time=record.started,
        tags=dict(record.tags),
        run_name=record.name,
    )
    return record.change(
        folder,
        run_id=run.info.run_id,
        is_described=False,
        model_id=None,
        is_complete=False,
    )


def _describe_run(folder: Path, record: RunRecord) -> RunRecord:
    from mlflow.entities import Dataset, InputTag
    from mlflow.entities import DatasetInput as LoggedInput

    log_parameters(_run_id(record), record.parameters)
    inputs = [
        LoggedInput(
            Dataset(
                name=given.name,
                digest=given.fingerprint[:16],
                source_type="local",
                source=given.name,
                profile=f'{{"num_pairs": {given.n_pairs}}}',
            ),
            [InputTag("mlflow.data.context", given.context)],
        )
        for given in record.inputs
    ]
    client().log_inputs(_run_id(record), inputs)
    return record.change(folder, is_described=True)


def send_curves(folder: Path, record: RunRecord) -> None:
    """Send the points and pictures that the run lacks."""
    run_id = _run_id(record)
    history = _read_history(folder)
    known = {
        name: {point.step for point in client().get_metric_history(run_id, name)}
        for name in curves_of(dict.fromkeys(history, 0.0))
    }
    for row in history.to_dict("records"):
        epoch = int(row["epoch"])
        curves = curves_of(row)
        missing = {name: curves[name] for name in curves if epoch not in known[name]}
        if missing:
            log_metrics(run_id, missing, step=epoch)
    for path in sorted((folder / UNSENT).glob("*.png")):
        send_picture(record, int(path.stem), np.array(Image.open(path)))
        path.unlink()


def curves_of(row: Mapping[Any, float]) -> dict[str, float]:
    """The figures of an epoch as MLflow names them; what is no number is left out."""
    return {
        name if "/" in name else f"train/{name}": value
        for name, value in row.items()
        if name != "epoch" and np.isfinite(value)
    }


def send_picture(record: RunRecord, epoch: int, picture: NDArray[np.uint8]) -> None:
    """Send the picture of an epoch, uint8 H×W×3."""
    log_image(_run_id(record), picture, PICTURES, epoch)


def keep_picture(folder: Path, epoch: int, picture: NDArray[np.uint8]) -> None:
    """Keep a picture that the store has not got."""
    with atomic_write(folder / UNSENT / f"{epoch:05}.png") as temporary:
        Image.fromarray(picture).save(temporary, "png")


def forget_pictures(folder: Path) -> None:
    """Remove pictures of an earlier training."""
    for path in (folder / UNSENT).glob("*.png"):
        path.unlink()


def finish(folder: Path, record: RunRecord, trained: TrainedReplicate) -> RunRecord:
    """Add model and cost to the run of a finished training, and close it."""
    run_id = _run_id(record)
    has_model = trained.best_epoch is not None and record.keeps_model
    if record.model_id is None and has_model:
        from image_translation.training.settings import InferenceSettings

        inference = InferenceSettings.model_validate(record.inference)
        tags = {name: record.tags[name] for name in ("task", "model", "replicate")}
        model_id = log_model(
            run_id, trained, inference, record.translation, record.name, tags
        )
        record = record.change(folder, model_id=model_id)
    metrics = {
        "cost/seconds": trained.cost["seconds"],
        "cost/images_per_second": trained.cost["images_per_second"],
    }
    if "trial" in record.tags and trained.validation_score is not None:
        metrics["tuning/score"] = trained.validation_score  # to sort the runs by
    log_metrics(run_id, metrics)
    client().set_terminated(run_id, "FAILED" if trained.failure else "FINISHED")
    return record.change(folder, is_left=False, is_complete=True)


def leave(folder: Path, record: RunRecord) -> RunRecord:
    """End the run of a training that was left in the middle."""
    client().set_terminated(_run_id(record), "KILLED")
    return record.change(folder, is_left=False)


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def _run_id(record: RunRecord) -> str:
    if record.run_id is None:
        raise ValueError(f"{record.name} has no run yet")
    return record.run_id


def _is_known(record: RunRecord) -> bool:
    """Whether the store has the run: it may be another store than before."""
    from mlflow.exceptions import MlflowException

    if record.run_id is None:
        return False
    try:
        return client().get_run(record.run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _read_history(folder: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / HISTORY)
    except (OSError, pd.errors.EmptyDataError):
        return pd.DataFrame({"epoch": []})


def _read_finished(folder: Path) -> TrainedReplicate | None:
    if not is_finished(folder):
        return None
    try:
        return TrainedReplicate.read(folder)
    except InputError:
        return None
