"""Which models a pipeline works with that takes what was trained."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.choice import choose_trained
from image_translation.translation.settings import CHAMPION

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A trained replicate and how it translates.

    Attributes:
        replicate: What was trained.
        inference: The protocol.
        version: Its number in the registry, where it is the one in use.
    """

    replicate: TrainedReplicate
    inference: InferenceSettings
    version: int | None = None


def choose_models(
    task: str,
    section: str,
    settings: Mapping[str, Any],
    trained: Mapping[str, TrainedModel],
    champions: Path,
) -> dict[str, Chosen]:
    """Find the models that ``<section>.model`` names: the one in use, or those on disk.

    Args:
        task: Name of the task.
        section: The section of the parameters.
        settings: All parameters of the task.
        trained: The task's models on disk, by name.
        champions: Where models that are in use are kept.

    Raises:
        InputError: There is no such model, or nothing trained.
    """
    from image_translation.tracking.registry import champion

    wanted = settings[section]["model"]
    in_use = champion(task, champions) if wanted == CHAMPION else None
    if in_use is not None:
        logger.info("Version %d of %s is in use", in_use.version, task)
        inference = InferenceSettings.model_validate(in_use.inference)
        chosen = Chosen(in_use.trained, inference, in_use.version)
        return {in_use.tags["model"]: chosen}
    found = choose_trained(task, wanted, trained, f"{section}.model")
    return {
        model: Chosen(
            replicate, InferenceSettings.model_validate(settings[model]["inference"])
        )
        for model, replicate in found.items()
    }
