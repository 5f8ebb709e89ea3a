"""The registered model of a task: its versions, and the one that is in use.

A task has one registered model, called as the task is. A version is one set of weights,
tagged with model, replicate and run. The alias ``champion`` stands at the version in use,
the alias ``challenger`` at the one that met it last. A version knows by a tag which one it
took the place of, so that it can be rolled back.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_translation.errors import InputError
from image_translation.tracking.models import FILES
from image_translation.tracking.store import client
from image_translation.training.trained import TrainedReplicate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"

WEIGHTS_TAG = "weights_sha256"
REPLACED_TAG = "replaced"
PROMOTED_TAG = "promoted"
ROLLED_BACK_TAG = "rolled_back"


@dataclass(frozen=True)
class Champion:
    """The version of a task's model that is in use.

    Attributes:
        task: The task.
        version: Its number.
        tags: Its tags: ``task, model, replicate, run, weights_sha256``, ….
        trained: Its weights and what describes them, on this machine.
        inference: The protocol by which it translates, as in the parameters.
    """

    task: str
    version: int
    tags: Mapping[str, str]
    trained: TrainedReplicate
    inference: Mapping[str, Any]


def champion(
    task: str, folder: Path, tracking_uri: str | None = None
) -> Champion | None:
    """Find the model that is in use for a task, and bring it to this machine.

    Args:
        task: The task.
        folder: Where champions are kept, by their weights; what is there is not fetched
            again.
        tracking_uri: The store; the one that is configured if not given.

    Returns:
        None where no model was ever promoted.
    """
    version = find_version(task, CHAMPION, tracking_uri)
    if version is None:
        return None
    home = _fetch(version, folder / version.tags[WEIGHTS_TAG][:16], tracking_uri)
    return Champion(
        task,
        int(version.version),
        dict(version.tags),
        TrainedReplicate.read(home / FILES),
        _inference(home),
    )


def find_version(
    task: str, alias: str, tracking_uri: str | None = None
) -> "ModelVersion | None":
    """The version that an alias stands at, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return _client(tracking_uri).get_model_version_by_alias(task, alias)
    except MlflowException as error:
        if error.get_http_status_code() in (400, 404):  # no such alias, no such model
            return None
        raise


def register(
    task: str, trained: TrainedReplicate, model_id: str, tags: Mapping[str, str]
) -> "ModelVersion":
    """The version of a set of weights; registered where it is new.

    Args:
        task: The task.
        trained: The replicate.
        model_id: The model in MLflow that holds it.
        tags: ``model, replicate, run``.
    """
    from mlflow.exceptions import MlflowException

    weights = trained.config[WEIGHTS_TAG]
    try:
        client().create_registered_model(task, description=f"Translates: {task}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client().search_model_versions(f"name='{task}'"):
        if version.tags.get(WEIGHTS_TAG) == weights:
            return version
    return client().create_model_version(
        task,
        f"models:/{model_id}",
        run_id=tags["run"],
        tags={**tags, "task": task, WEIGHTS_TAG: weights},
        model_id=model_id,
    )


def set_challenger(version: "ModelVersion") -> None:
    """Mark the version that meets the champion."""
    client().set_registered_model_alias(version.name, CHALLENGER, version.version)


def promote(version: "ModelVersion") -> None:
    """Put a version into use; what it takes the place of is remembered in its tags."""
    before = find_version(version.name, CHAMPION)
    if before is not None and int(before.version) == int(version.version):
        return
    tags = {PROMOTED_TAG: _now()}
    if before is not None:
        tags[REPLACED_TAG] = str(before.version)
    for name, value in tags.items():
        client().set_model_version_tag(version.name, version.version, name, value)
    client().set_registered_model_alias(version.name, CHAMPION, version.version)


def promote_by_hand(task: str, number: int) -> "ModelVersion":
    """Put a version into use, also one that was rolled back.

    Raises:
        InputError: There is no such version.
    """
    from mlflow.exceptions import MlflowException

    try:
        version = client().get_model_version(task, str(number))
    except MlflowException as error:
        if error.get_http_status_code() != 404:
            raise
        versions = client().search_model_versions(f"name='{task}'")
        known = ", ".join(str(n) for n in sorted(int(v.version) for v in versions))
        raise InputError(
            f"--version: {task} has no version {number}; there is {known or 'none yet'}"
        ) from error
    if ROLLED_BACK_TAG in version.tags:
        client().delete_model_version_tag(task, version.version, ROLLED_BACK_TAG)
    promote(version)
    return version


def roll_back(task: str) -> tuple["ModelVersion", "ModelVersion"]:
    """Put the version before into use again.

    Returns:
        The version that was in use, which is not promoted again, and the one that is now.

    Raises:
        InputError: There is none to go back to.
    """
    current = find_version(task, CHAMPION)
    if current is None:
        raise InputError(f"{task} has no champion yet; there is nothing to roll back")
    replaced = current.tags.get(REPLACED_TAG)
    if not replaced:
        raise InputError(
            f"version {current.version} of {task} was the first champion; there is none "
            "to go back to"
        )
    client().set_registered_model_alias(task, CHAMPION, replaced)
    client().set_model_version_tag(task, current.version, ROLLED_BACK_TAG, _now())
    return current, client().get_model_version(task, replaced)


def _fetch(version: "ModelVersion", home: Path, tracking_uri: str | None) -> Path:
    """Bring the files of a version to a folder; whole or not at all."""
    from mlflow.artifacts import download_artifacts

    if not home.is_dir():
        aside = home.with_name(f"{home.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}",
            dst_path=str(aside),
            tracking_uri=tracking_uri,
        )
        aside.replace(home)
    return home


def _inference(home: Path) -> Mapping[str, Any]:
    from mlflow.models import Model

    return Model.load(str(home)).flavors["python_function"]["config"]["inference"]


def _client(tracking_uri: str | None) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri) if tracking_uri else client()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
