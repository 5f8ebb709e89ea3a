"""The registered model of a task: its versions, and the one that is in use.

A task has one registered model, called as the task is. A version is one set of weights with
the protocol by which they translate, tagged with model, replicate and run. The alias
``champion`` points to the version in use, the alias ``challenger`` to the one that met it
last. A version knows by a tag which one it took the place of, so that it can be rolled back.
"""

import logging
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_translation.errors import InputError
from image_translation.fingerprint import digest
from image_translation.runs.logged_model import FILES
from image_translation.runs.store import client
from image_translation.training.trained import CONFIG, WEIGHTS, TrainedReplicate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"

WEIGHTS_TAG = "weights_sha256"
PROTOCOL_TAG = "protocol"
REPLACED_TAG = "replaced"
PROMOTED_TAG = "promoted"
ROLLED_BACK_TAG = "rolled_back"

SEEN = "training_files.txt"
"""Artifact of a run: digests of the files that its model was trained on."""

NO_MODEL_OR_ALIAS = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"


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

    Raises:
        InputError: It cannot be read.
    """
    version = find_version(task, CHAMPION, tracking_uri)
    if version is None:
        return None
    _refuse_foreign(version)
    home = _fetch(version, folder / _key(version), tracking_uri)
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
    """The version that an alias points to, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return _client(tracking_uri).get_model_version_by_alias(task, alias)
    except MlflowException as error:
        if error.error_code in NO_MODEL_OR_ALIAS:
            return None
        raise


def register(
    task: str,
    trained: TrainedReplicate,
    inference: Mapping[str, Any],
    model_id: str,
    tags: Mapping[str, str],
) -> "ModelVersion":
    """The version of a set of weights and a protocol; registered where it is new.

    Args:
        task: The task.
        trained: The replicate.
        inference: The protocol by which it translates.
        model_id: The model in MLflow that holds both.
        tags: ``model, replicate, run``.
    """
    from mlflow.exceptions import MlflowException

    wanted = {
        WEIGHTS_TAG: trained.config[WEIGHTS_TAG],
        PROTOCOL_TAG: digest(inference)[:16],
    }
    try:
        client().create_registered_model(task, description=f"Translates: {task}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in _versions(task):
        if version.tags.items() >= wanted.items():
            return version
    return client().create_model_version(
        task,
        f"models:/{model_id}",
        run_id=tags["run"],
        tags={**tags, "task": task, **wanted},
        model_id=model_id,
    )


def keep_seen(run_id: str, files: Collection[str]) -> None:
    """Keep with a run what its model was trained on, or chosen by.

    Args:
        run_id: The run.
        files: SHA-256 digests of the files.
    """
    if read_seen(run_id) is None:
        client().log_text(run_id, "\n".join(sorted(files)), SEEN)


def read_seen(run_id: str) -> frozenset[str] | None:
    """Digests of the files that a run's model was trained on; None if not known."""
    from mlflow.artifacts import load_text
    from mlflow.exceptions import MlflowException

    try:
        run = client().get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # somebody has removed it
            return None
        raise
    if all(file.path != SEEN for file in client().list_artifacts(run_id)):
        return None
    return frozenset(load_text(f"{run.info.artifact_uri}/{SEEN}").split())


def set_challenger(version: "ModelVersion") -> None:
    """Mark the version that meets the champion."""
    client().set_registered_model_alias(version.name, CHALLENGER, version.version)


def was_in_use(task: str) -> "ModelVersion | None":
    """The latest version that was in use and not rolled back, whatever is in use now."""
    promoted = [
        version
        for version in _versions(task)
        if PROMOTED_TAG in version.tags and ROLLED_BACK_TAG not in version.tags
    ]
    return max(promoted, key=lambda v: v.tags[PROMOTED_TAG], default=None)


def promote(version: "ModelVersion") -> None:
    """Put a version into use; what it takes the place of is remembered in its tags."""
    before = find_version(version.name, CHAMPION)
    if is_same(before, version):
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
        InputError: The version does not exist, or it was not registered here.
    """
    versions = {int(v.version): v for v in _versions(task)}
    version = versions.get(number)
    if version is None:
        known = _numbers(versions.values())
        raise InputError(f"--version: {task} has no version {number}; there is {known}")
    _refuse_foreign(version)
    if ROLLED_BACK_TAG in version.tags:
        client().delete_model_version_tag(task, version.version, ROLLED_BACK_TAG)
    promote(version)
    return version


def roll_back(task: str) -> tuple["ModelVersion", "ModelVersion"]:
    """Put the version before into use again, that was not rolled back itself.

    Returns:
        The version that was in use, which is not promoted again, and the one that is now.

    Raises:
        InputError: There is none to go back to.
    """
    current = find_version(task, CHAMPION)
    if current is None:
        raise InputError(f"{task} has no champion; there is nothing to roll back")
    before = _before(current)
    if before is None:
        raise InputError(
            f"version {current.version} of {task} has no champion before it to go back "
            f"to; {_other(current)}"
        )
    client().set_model_version_tag(task, current.version, ROLLED_BACK_TAG, _now())
    client().set_registered_model_alias(task, CHAMPION, before.version)
    return current, before


def is_same(one: "ModelVersion | None", other: "ModelVersion | None") -> bool:
    """Whether two are the same version of a model, or both are none."""
    if one is None or other is None:
        return one is other
    return int(one.version) == int(other.version)


def _before(version: "ModelVersion") -> "ModelVersion | None":
    """Follow what took whose place to the next that was not rolled back."""
    versions = {str(v.version): v for v in _versions(version.name)}
    passed = {str(version.version)}
    number = version.tags.get(REPLACED_TAG)
    while number in versions and number not in passed:
        if ROLLED_BACK_TAG not in versions[number].tags:
            return versions[number]
        passed.add(number)
        number = versions[number].tags.get(REPLACED_TAG)
    return None


def _versions(task: str) -> list["ModelVersion"]:
    return list(client().search_model_versions(f"name='{task}'"))


def _numbers(versions: Iterable["ModelVersion"]) -> str:
    return ", ".join(map(str, sorted(int(v.version) for v in versions))) or "none yet"


def _other(version: "ModelVersion") -> str:
    """How to put another version into use, if there is one."""
    others = [v for v in _versions(version.name) if not is_same(v, version)]
    if not others:
        return "no other version exists"
    return (
        f"put another into use with kedro promote --task={version.name} --version=N and "
        f"the --env of this run: there is {_numbers(others)}"
    )


def _refuse_foreign(version: "ModelVersion") -> None:
    if WEIGHTS_TAG not in version.tags:
        raise InputError(
            f"version {version.version} of {version.name} was not registered by a run of "
            f"this project: it has no tag {WEIGHTS_TAG}; {_other(version)}"
        )


def _key(version: "ModelVersion") -> str:
    """What a version is kept under: its weights, and its protocol."""
    parts = version.tags[WEIGHTS_TAG][:16], version.tags.get(PROTOCOL_TAG, "")
    return "-".join(filter(None, parts))


def _fetch(version: "ModelVersion", home: Path, tracking_uri: str | None) -> Path:
    """Bring the files of a version to a folder; whole or not at all."""
    from mlflow.artifacts import download_artifacts

    if _is_whole(home):
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".fetching-") as scratch:
        aside = Path(scratch) / home.name
        aside.mkdir()
        download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}",
            dst_path=str(aside),
            tracking_uri=tracking_uri,
        )
        if not _is_whole(aside):
            raise InputError(
                f"version {version.version} of {version.name} cannot be read: MLflow's "
                f"store of artifacts has its files no more; {_other(version)}"
            )
        if not _is_whole(home):  # another process may have brought it meanwhile
            shutil.rmtree(home, ignore_errors=True)
            aside.replace(home)
    return home


def _is_whole(home: Path) -> bool:
    files = (Path("MLmodel"), *(Path(FILES) / name for name in (CONFIG, WEIGHTS)))
    return all((home / file).is_file() for file in files)


def _inference(home: Path) -> Mapping[str, Any]:
    from mlflow.models import Model

    return Model.load(str(home)).flavors["python_function"]["config"]["inference"]


def _client(tracking_uri: str | None) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri) if tracking_uri else client()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
