"""Versions of a task's registered model in MLflow, and the champion among them.

Each task has one registered model, named after the task. A version is a set of weights
with its protocol for inference, tagged with model, replicate and run. The alias
``champion`` points to the version in use, ``challenger`` to the latest candidate for
its replacement. A tag of a promoted version names the version that it replaced, so the
promotion can be rolled back.
"""

import logging
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_translation.common.errors import InputError
from image_translation.common.files import separate_bytes
from image_translation.common.fingerprint import digest, file_digest
from image_translation.runs.logged_model import FILES, local_weights
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

PARTIAL = ".fetching-"
"""Beginning of the names of folders with incomplete downloads."""

TRAINING_FILES = "training_files.txt"
"""Artifact of a run: digests of the training and validation files of its model."""

TAGS = {
    WEIGHTS_TAG: r"[0-9a-f]{64}",
    PROTOCOL_TAG: r"([0-9a-f]{16})?",
    "model": r"[A-Za-z]\w{0,63}",
    "replicate": r"\d{1,4}",
    "run": r"([0-9a-f]{32})?",
}
"""Required form of a version's tags. Anyone with write access to the store can change them,
and some become parts of paths."""

NO_MODEL_OR_ALIAS = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"


@dataclass(frozen=True)
class Champion:
    """The version of a task's model that is in use.

    Attributes:
        task: Name of the task.
        version: Number of the version.
        tags: Its tags: ``task, model, replicate, run, weights_sha256``, ….
        trained: Its weights and their description, on this machine.
        inference: Its protocol for inference, as in the parameters.
    """

    task: str
    version: int
    tags: Mapping[str, str]
    trained: TrainedReplicate
    inference: Mapping[str, Any]


def champion(
    task: str, folder: Path, tracking_uri: str | None = None
) -> Champion | None:
    """Find the champion of a task and download it to this machine.

    Args:
        task: Name of the task.
        folder: Folder of the champions, one subfolder for each set of weights and
            protocol. Complete subfolders are not downloaded again.
        tracking_uri: URI of the store; by default the configured one.

    Returns:
        The champion; None if no version has the alias ``champion``.

    Raises:
        InputError: The version was not registered by this project, or its files cannot
            be read.
    """
    version = find_version(task, CHAMPION, tracking_uri)
    if version is None:
        return None
    check_origin(version)
    home = _download(version, folder / folder_name(version), tracking_uri)
    return Champion(
        task,
        int(version.version),
        dict(version.tags),
        TrainedReplicate.read(home / FILES),
        _inference(home),
    )


def read_description(version: "ModelVersion", folder: Path) -> TrainedReplicate:
    """The description of a version's weights, without a download of the weights.

    Args:
        version: The version.
        folder: Folder of the champions; an earlier download is used.

    Raises:
        InputError: The version has no readable description.
    """
    from mlflow.artifacts import load_dict

    home = folder / folder_name(version) / FILES
    if (home / CONFIG).is_file():
        return TrainedReplicate.read(home)
    address = f"models:/{version.name}/{version.version}"
    return TrainedReplicate(home, load_dict(f"{address}/{FILES}/{CONFIG}"))


def find_version(
    task: str, alias: str, tracking_uri: str | None = None
) -> "ModelVersion | None":
    """The version with an alias, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return _client(tracking_uri).get_model_version_by_alias(task, alias)
    except MlflowException as error:
        if error.error_code in NO_MODEL_OR_ALIAS:
            return None
        raise


def list_versions(task: str) -> list["ModelVersion"]:
    """All versions of a task's model."""
    return list(client().search_model_versions(f"name='{task}'"))


def predecessor(version: "ModelVersion") -> "ModelVersion | None":
    """The latest earlier champion that was not rolled back, or None."""
    versions = {str(v.version): v for v in list_versions(version.name)}
    visited = {str(version.version)}
    number = version.tags.get(REPLACED_TAG)
    while number in versions and number not in visited:
        if ROLLED_BACK_TAG not in versions[number].tags:
            return versions[number]
        visited.add(number)
        number = versions[number].tags.get(REPLACED_TAG)
    return None


def folder_name(version: "ModelVersion") -> str:
    """Folder name of a version: digests of its weights and its protocol."""
    parts = version.tags[WEIGHTS_TAG][:16], version.tags.get(PROTOCOL_TAG, "")
    return "-".join(filter(None, parts))


def register(
    task: str,
    trained: TrainedReplicate,
    inference: Mapping[str, Any],
    model_id: str,
    tags: Mapping[str, str],
) -> "ModelVersion":
    """Find the version with these weights and this protocol, or register it.

    Args:
        task: Name of the task.
        trained: The replicate.
        inference: Its protocol for inference.
        model_id: Id of the logged model in MLflow that contains both.
        tags: ``model, replicate, run``.

    Returns:
        The existing or new version.
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
    for version in list_versions(task):
        if version.tags.items() >= wanted.items():
            return version
    return client().create_model_version(
        task,
        f"models:/{model_id}",
        run_id=tags["run"],
        tags={**tags, "task": task, **wanted},
        model_id=model_id,
    )


def log_training_files(run_id: str, files: Collection[str]) -> None:
    """Log the training and validation files of a run's model, unless already logged.

    Args:
        run_id: Id of the run that trained the model.
        files: SHA-256 digests of the files.
    """
    if read_training_files(run_id) is None:
        client().log_text(run_id, "\n".join(sorted(files)), TRAINING_FILES)


def read_training_files(run_id: str) -> frozenset[str] | None:
    """Digests of the files that `log_training_files` logged, or None."""
    from mlflow.artifacts import load_text
    from mlflow.exceptions import MlflowException

    try:
        run = client().get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # the run was deleted
            return None
        raise
    if all(file.path != TRAINING_FILES for file in client().list_artifacts(run_id)):
        return None
    return frozenset(load_text(f"{run.info.artifact_uri}/{TRAINING_FILES}").split())


def set_challenger(version: "ModelVersion") -> None:
    """Move the alias ``challenger`` to a version."""
    client().set_registered_model_alias(version.name, CHALLENGER, version.version)


def last_promoted(task: str) -> "ModelVersion | None":
    """The most recently promoted version that was not rolled back, or None."""
    promoted = [
        version
        for version in list_versions(task)
        if PROMOTED_TAG in version.tags and ROLLED_BACK_TAG not in version.tags
    ]
    return max(promoted, key=lambda v: v.tags[PROMOTED_TAG], default=None)


def promote(version: "ModelVersion") -> None:
    """Make a version the champion; a tag records the version that it replaces.

    Its weights in a local store get bytes of their own: damage to the replicate, which is
    retrained then, does not reach what is in use.
    """
    before = find_version(version.name, CHAMPION)
    if is_same(before, version):
        return
    location = client().get_model_version_download_uri(version.name, version.version)
    if weights := local_weights(location):
        separate_bytes(weights)
    tags = {PROMOTED_TAG: _now()}
    if before is not None:
        tags[REPLACED_TAG] = str(before.version)
    for name, value in tags.items():
        client().set_model_version_tag(version.name, version.version, name, value)
    client().set_registered_model_alias(version.name, CHAMPION, version.version)


def promote_by_hand(task: str, number: int) -> "ModelVersion":
    """Make any version the champion, including one that was rolled back.

    Raises:
        InputError: The version does not exist, or was not registered by this project.
    """
    versions = {int(v.version): v for v in list_versions(task)}
    version = versions.get(number)
    if version is None:
        known = _numbers(versions.values())
        raise InputError(
            f"--version: {task} has no version {number}; existing versions: {known}"
        )
    check_origin(version)
    if ROLLED_BACK_TAG in version.tags:
        client().delete_model_version_tag(task, version.version, ROLLED_BACK_TAG)
    promote(version)
    return version


def roll_back(task: str) -> tuple["ModelVersion", "ModelVersion"]:
    """Restore the previous champion; versions that were rolled back are skipped.

    Returns:
        The version that was rolled back, which later runs do not promote, and the new
        champion.

    Raises:
        InputError: The champion or its predecessor is missing.
    """
    current = find_version(task, CHAMPION)
    if current is None:
        raise InputError(f"{task} has no champion; there is nothing to roll back")
    before = predecessor(current)
    if before is None:
        raise InputError(
            f"version {current.version} of {task} has no previous champion to roll "
            f"back to; {_other(current)}"
        )
    client().set_model_version_tag(task, current.version, ROLLED_BACK_TAG, _now())
    client().set_registered_model_alias(task, CHAMPION, before.version)
    return current, before


def check_origin(version: "ModelVersion") -> None:
    """Check that a version has the tags that this project gives it.

    Raises:
        InputError: A tag is missing, or does not have the required form.
    """
    if WEIGHTS_TAG not in version.tags:
        raise InputError(
            f"version {version.version} of {version.name} was not registered by a run of "
            f"this project: it has no tag {WEIGHTS_TAG}; {_other(version)}"
        )
    for tag, form in TAGS.items():
        value = version.tags.get(tag, "0" if tag == "replicate" else "")
        if not re.fullmatch(form, value, re.ASCII):
            raise InputError(
                f"version {version.version} of {version.name} is not used: its tag {tag} "
                f"is {value[:80]!r}, which no run of this project writes; {_other(version)}"
            )


def is_same(one: "ModelVersion | None", other: "ModelVersion | None") -> bool:
    """True if both are the same version of a model, or both are None."""
    if one is None or other is None:
        return one is other
    return int(one.version) == int(other.version)


def _numbers(versions: Iterable["ModelVersion"]) -> str:
    return ", ".join(map(str, sorted(int(v.version) for v in versions))) or "none"


def _other(version: "ModelVersion") -> str:
    """The command that promotes another version, if there is one."""
    others = [v for v in list_versions(version.name) if not is_same(v, version)]
    if not others:
        return "no other version exists"
    return (
        f"promote another version ({_numbers(others)}) with kedro promote "
        f"--task={version.name} --version=N and the same --env"
    )


def _download(version: "ModelVersion", home: Path, tracking_uri: str | None) -> Path:
    """Download the files of a version to a folder, completely or not at all."""
    from mlflow.artifacts import download_artifacts

    sha256 = version.tags[WEIGHTS_TAG]
    if _is_intact(home, sha256):
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=PARTIAL) as scratch:
        partial = Path(scratch) / home.name
        partial.mkdir()
        download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}",
            dst_path=str(partial),
            tracking_uri=tracking_uri,
        )
        if not _is_complete(partial):
            raise InputError(
                f"version {version.version} of {version.name} cannot be read: its "
                f"files are missing from MLflow's artifact store; {_other(version)}"
            )
        if not _is_intact(partial, sha256):
            raise InputError(
                f"version {version.version} of {version.name} is not used: its weights "
                f"do not match its tag {WEIGHTS_TAG}; {_other(version)}"
            )
        if not _is_intact(home, sha256):  # another process may have finished first
            shutil.rmtree(home, ignore_errors=True)
            partial.replace(home)
    return home


def _is_complete(home: Path) -> bool:
    files = (Path("MLmodel"), *(Path(FILES) / name for name in (CONFIG, WEIGHTS)))
    return all((home / file).is_file() for file in files)


def _is_intact(home: Path, sha256: str) -> bool:
    """True if all files exist and the weights have the digest."""
    if not _is_complete(home) or file_digest(home / FILES / WEIGHTS) != sha256:
        return False
    try:
        return TrainedReplicate.read(home / FILES).config.get(WEIGHTS_TAG) == sha256
    except InputError:
        return False


def _inference(home: Path) -> Mapping[str, Any]:
    from mlflow.models import Model

    return Model.load(str(home)).flavors["python_function"]["config"]["inference"]


def _client(tracking_uri: str | None) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri) if tracking_uri else client()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
