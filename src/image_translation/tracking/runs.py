"""Runs in MLflow, written with explicit ids so that any process can add to them."""

import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.training.trained import TrainedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

RUN_FILE = "mlflow.json"
# MLflow takes so many in one request.
PARAMETERS_PER_BATCH = 100

Method = TypeVar("Method", bound=Callable[..., None])


def client() -> "MlflowClient":
    """A client for the store that was configured."""
    from mlflow import MlflowClient

    return MlflowClient()


def tolerate_store(method: Method) -> Method:
    """Let work go on when the store fails: what is on disk is not lost."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        from mlflow.exceptions import MlflowException

        try:
            method(*args, **kwargs)
        except (MlflowException, OSError) as error:
            logger.warning("MLflow could not be written to (%s); going on", error)

    return wrapper  # type: ignore[return-value]


def read_run_id(folder: Path) -> str | None:
    """The child run that belongs to a replicate's folder, if there is one."""
    try:
        return json.loads((folder / RUN_FILE).read_text("utf-8"))["run_id"]
    except (OSError, ValueError, KeyError):
        return None


def write_run_id(folder: Path, run_id: str) -> None:
    """Keep a replicate's child run in its folder."""
    text = json.dumps({"run_id": run_id}) + "\n"
    (folder / RUN_FILE).write_text(text, "utf-8")


def log_parameters(run_id: str, parameters: Mapping[str, Any]) -> None:
    """Log parameters one by one, in few requests."""
    from mlflow.entities import Param

    items = [Param(name, str(value)) for name, value in parameters.items()]
    for start in range(0, len(items), PARAMETERS_PER_BATCH):
        client().log_batch(run_id, params=items[start : start + PARAMETERS_PER_BATCH])


def log_metrics(run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
    """Log the metrics of one step in one request."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    items = [Metric(name, float(value), now, step) for name, value in metrics.items()]
    client().log_batch(run_id, metrics=items)


def log_image(run_id: str, image: NDArray[np.uint8], key: str, step: int) -> None:
    """Log an image, uint8 H×W×3, as a step of a series."""
    client().log_image(run_id, image=image, key=key, step=step)


@tolerate_store
def log_test_scores(trained: TrainedModel, scores: pd.DataFrame) -> None:
    """Add the mean test scores of each replicate to its child run.

    Args:
        trained: The model.
        scores: Its ``scores.csv``.
    """
    from image_translation.metrics import MEASURES, for_means

    for replicate in trained.replicates:
        run_id = read_run_id(replicate.folder)
        rows = scores[scores["replicate"] == replicate.replicate]
        if run_id is None or rows.empty:
            continue
        means = {
            f"test/{name}": float(np.mean(for_means(name, rows[name].to_numpy())))
            for name in MEASURES
            if name in rows
        }
        if client().get_run(run_id).data.metrics.items() >= means.items():
            continue
        log_metrics(run_id, means)


@tolerate_store
def link_replicates(parent: str, name: str, trained: TrainedModel) -> None:
    """Name the child runs of a model, older ones too, in the tags of a parent run."""
    for replicate in trained.replicates:
        run_id = read_run_id(replicate.folder)
        if run_id is not None:
            client().set_tag(parent, f"{name}.replicate-{replicate.replicate}", run_id)


@tolerate_store
def log_findings(run_id: str, findings: pd.DataFrame) -> None:
    """Log what the audit found to a parent run: the counts, and the table."""
    if not findings.empty:
        names = "audit/" + findings["finding"]
        log_metrics(run_id, dict(zip(names, findings["count"], strict=True)))
    client().log_text(run_id, findings.to_csv(index=False), "audit/findings.csv")


@tolerate_store
def log_comparison(run_id: str, comparison: pd.DataFrame, folder: Path) -> None:
    """Log the table of models and every file of the report to a parent run.

    Args:
        run_id: The parent run.
        comparison: ``comparison.csv``.
        folder: The task's reporting folder.
    """
    known = comparison.dropna(subset=["mean"])
    names = known["model"] + "/test/" + known["metric"]
    log_metrics(run_id, dict(zip(names, known["mean"], strict=True)))
    for file in sorted(folder.glob("[!.]*.*")):
        client().log_artifact(run_id, str(file), "report")


@tolerate_store
def log_study(run_id: str, study: pd.DataFrame) -> None:
    """Log what judges preferred, and how far they agree, to a parent run.

    Args:
        run_id: The parent run.
        study: ``human_study.csv``.
    """
    known = study.dropna(subset=["rate"])
    names = "human/" + known["model_a"] + "_vs_" + known["model_b"]
    agreement = study[["agreement", "alpha"]].iloc[0].dropna().add_prefix("human/")
    log_metrics(run_id, {**dict(zip(names, known["rate"], strict=True)), **agreement})
    client().log_text(run_id, study.to_csv(index=False), "report/human_study.csv")
