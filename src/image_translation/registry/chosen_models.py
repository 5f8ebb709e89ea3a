"""Look up the models for translation: the champion, or trained models on disk."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from image_translation.common.errors import InputError, first_line
from image_translation.common.secrets import mask_address
from image_translation.pipeline_registry import RENAMED_MODELS
from image_translation.registry.versions import CHAMPION as CHAMPION_ALIAS
from image_translation.registry.versions import (
    WEIGHTS_TAG,
    Champion,
    champion,
    check_origin,
    find_version,
    read_description,
)
from image_translation.runs.mlflow_position import read_run_id
from image_translation.runs.store import client
from image_translation.training.settings import InferenceSettings, ModelSettings
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.model_selection import choose_trained
from image_translation.translation.settings import CHAMPION

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Chosen:
    """A model selected for translation.

    Attributes:
        model: Name of the model.
        trained: Its weights and their description, on this machine.
        inference: Its protocol for inference.
        version: Version of the registered model; None for a model on disk.
        run_id: The MLflow run that trained it, if known.
    """

    model: str
    trained: TrainedReplicate
    inference: InferenceSettings
    version: int | None = None
    run_id: str | None = None


def choose_models(
    task: str,
    wanted: str,
    models: Mapping[str, ModelSettings],
    trained: Mapping[str, TrainedModel],
    champions: Path,
    metric: str,
    parameter: str = "translate.model",
) -> dict[str, Chosen]:
    """Find the requested models by name; the champion is looked up on each call.

    Args:
        task: Name of the task.
        wanted: A model's name, ``all``, or ``champion``: the champion, or without a
            usable one the best model on validation.
        models: Settings of the task's models.
        trained: The task's models on disk, by name.
        champions: Folder of the champions.
        metric: ``promotion.metric``, which selects the best model on disk.
        parameter: Name of the parameter with the requested model, for messages.

    Raises:
        InputError: The model does not exist, or the store does not respond.
    """
    current = _find_usable_champion(task, champions) if wanted == CHAMPION else None
    if current is not None:
        logger.info("Using the champion of %s: version %d", task, current.version)
        model = _model_of(current.tags)
        run = current.tags.get("run")
        inference = InferenceSettings.model_validate(current.inference)
        chosen = Chosen(model, current.trained, inference, current.version, run)
        return {model: chosen}
    found = choose_trained(task, wanted, trained, metric, parameter)
    return {
        model: Chosen(
            model,
            replicate,
            _inference(model, models, trained),
            run_id=read_run_id(replicate.folder),
        )
        for model, replicate in found.items()
    }


def _find_usable_champion(task: str, champions: Path) -> Champion | None:
    """The champion; None without one, or if its network was removed from the project."""
    current = _query(champion, task, champions)
    return current if current and _has_network(task, current.trained) else None


def _has_network(task: str, trained: TrainedReplicate) -> bool:
    """True if the project has the network of a champion; logged if it was removed."""
    try:
        trained.check_network()
    except InputError as error:
        logger.warning("Skipping the champion of %s: %s", task, error)
        return False
    return True


def _inference(
    model: str,
    models: Mapping[str, ModelSettings],
    trained: Mapping[str, TrainedModel],
) -> InferenceSettings:
    """The protocol of a model on disk, also of one that has no parameters any more."""
    settings = models.get(model) or trained[model].settings
    assert settings is not None  # its replicates were trained
    return settings.inference


class InUse(NamedTuple):
    """The champion of a task: its model, version and digest of its weights."""

    model: str
    version: int
    weights_sha256: str


def identify_champion(task: str, champions: Path) -> InUse | None:
    """The champion of a task, without a download of its weights.

    Args:
        task: Name of the task.
        champions: Folder of the champions.

    Returns:
        The champion; None without one, or if its network was removed from the project.

    Raises:
        InputError: The store does not respond, or no run of this project registered the
            version.
    """
    version = _query(find_version, task, CHAMPION_ALIAS)
    if version is None:
        return None
    check_origin(version)
    if not _has_network(task, _query(read_description, version, champions)):
        return None
    model, weights = _model_of(version.tags), version.tags[WEIGHTS_TAG]
    return InUse(model, int(version.version), weights)


def _model_of(tags: Mapping[str, str]) -> str:
    """The present name of a version's model."""
    return RENAMED_MODELS.get(tags["model"], tags["model"])


def run_page(run_id: str, server: str) -> str | None:
    """URL of a run's page in MLflow's user interface.

    Args:
        run_id: Id of the run.
        server: URL of the user interface.

    Returns:
        The URL; None if the store has no such run or does not respond.
    """
    from mlflow.exceptions import MlflowException

    try:
        experiment = client().get_run(run_id).info.experiment_id
    except MlflowException:
        return None
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def is_served(server: str) -> bool:
    """True if MLflow's user interface responds.

    Only interfaces on this machine are asked; a remote one is the store itself.

    Args:
        server: URL of the user interface.
    """
    url = urlsplit(server)
    if url.hostname not in LOOPBACK_HOSTS:
        return True
    connection = HTTPConnection(url.hostname, url.port or 80, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().read(2) == b"OK"
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _query(lookup: Callable[..., Result], *arguments: Any) -> Result:
    """Call the registry; an error of the store becomes an `InputError`."""
    from mlflow.exceptions import MlflowException

    try:
        return lookup(*arguments)
    except (MlflowException, OSError) as error:
        reason = mask_address(first_line(error))
        raise InputError(
            f"The champion cannot be looked up in MLflow ({reason}). Start its server, "
            "or select a model by name instead of champion"
        ) from error
