"""Which models translate: the one in use, which the registry knows, or those on disk."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_translation.errors import InputError, without_credentials
from image_translation.runs.sent import read_run_id
from image_translation.runs.store import client
from image_translation.tracking.registry import CHAMPION as IN_USE
from image_translation.tracking.registry import champion, find_version
from image_translation.training.settings import InferenceSettings, ModelSettings
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.model_selection import choose_trained
from image_translation.translation.settings import CHAMPION

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A model that is to translate.

    Attributes:
        model: Its name.
        trained: Its weights and what describes them, on this machine.
        inference: The protocol by which it translates.
        version: Of the registered model; None where it comes from disk.
        run_id: The run that trained it, if the store knows it.
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
    parameter: str = "translate.model",
) -> dict[str, Chosen]:
    """Find the models that a user wants, by name, as they are at this moment.

    Args:
        task: The task.
        wanted: A model's name, ``all``, or ``champion``: the one in use, or where there
            is none, the best on validation.
        models: Settings of the task's models.
        trained: The task's models on disk.
        champions: Where models that are in use are kept.
        parameter: Where the user says what is wanted, for messages.

    Raises:
        InputError: The model does not exist, or the store does not answer.
    """
    in_use = _ask(champion, task, champions) if wanted == CHAMPION else None
    if in_use is not None:
        logger.info("Version %d of %s is in use", in_use.version, task)
        model = in_use.tags["model"]
        run = in_use.tags.get("run")
        inference = InferenceSettings.model_validate(in_use.inference)
        chosen = Chosen(model, in_use.trained, inference, in_use.version, run)
        return {model: chosen}
    found = choose_trained(task, wanted, trained, parameter)
    return {
        model: Chosen(
            model,
            replicate,
            models[model].inference,
            run_id=read_run_id(replicate.folder),
        )
        for model, replicate in found.items()
    }


def name_in_use(task: str) -> tuple[str, int] | None:
    """Model and version that are in use for a task; nothing is fetched.

    Raises:
        InputError: The store does not answer.
    """
    version = _ask(find_version, task, IN_USE)
    return version and (version.tags["model"], int(version.version))


def run_page(run_id: str, server: str) -> str | None:
    """The address of a run's page in MLflow's own interface.

    Args:
        run_id: The run.
        server: Where that is served.

    Returns:
        None where the store does not know the run, or does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        experiment = client().get_run(run_id).info.experiment_id
    except MlflowException:
        return None
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def _ask(question: Any, *arguments: Any) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return question(*arguments)
    except (MlflowException, OSError) as error:
        reason = without_credentials(
            (str(error).strip() or repr(error)).splitlines()[0]
        )
        raise InputError(
            f"MLflow cannot say which model is in use ({reason}). Start its server, or "
            "choose a model by its name instead of champion"
        ) from error
