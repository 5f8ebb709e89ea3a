"""Training that starts from the weights of an earlier one."""

import logging
import os
from pathlib import Path

from torch import nn

from image_translation.errors import InputError
from image_translation.fingerprint import file_digest
from image_translation.training.settings import PREVIOUS, ModelSettings
from image_translation.training.trained import WEIGHTS, fits

logger = logging.getLogger(__name__)

START = "start.safetensors"
"""The weights of the training before, while the one that starts from them goes on."""


def digest_start(settings: ModelSettings) -> str | None:
    """What a training depends on: the weights it starts from, if a file was named.

    ``previous`` counts as itself. Its weights are those that the training replaces; by
    their digest no training that starts from them would ever be up to date.

    Raises:
        InputError: As for `find_start`.
    """
    named = settings.training.warm_start
    if named is None or not settings.is_trainable:
        return None
    return PREVIOUS if named == PREVIOUS else file_digest(_find_named(named))


def keep_previous_weights(settings: ModelSettings, folder: Path) -> None:
    """Before a new training clears its folder: keep the weights it is to start from.

    Those set aside before are kept: the folder's are then of a training that was cut off.
    """
    weights, start = folder / WEIGHTS, folder / START
    is_wanted = settings.training.warm_start == PREVIOUS and not start.exists()
    if is_wanted and weights.is_file():
        os.replace(weights, start)


def find_start(settings: ModelSettings, folder: Path) -> Path | None:
    """The weights to start from, or None for random ones.

    Args:
        settings: The model's.
        folder: That of the replicate.

    Raises:
        InputError: ``training.warm_start`` names neither weights nor a folder of them,
            or the weights that the training replaces.
    """
    named = settings.training.warm_start
    if named is None or not settings.is_trainable:
        return None
    if named == PREVIOUS:
        return folder / START if (folder / START).is_file() else None
    file = _find_named(named)
    if (folder / WEIGHTS).exists() and file.samefile(folder / WEIGHTS):
        raise InputError(
            f"training.warm_start: {file} is what this training would replace; pass "
            f"{PREVIOUS} to start from it"
        )
    return file


def _find_named(named: str) -> Path:
    path = Path(named)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"training.warm_start: there is no file {file}; pass weights "
            f"(*.safetensors), a folder that holds {WEIGHTS}, such as "
            f"data/06_models/<task>/<model>/replicate-0, or {PREVIOUS}"
        )
    return file


def load_start(generator: nn.Module, file: Path) -> None:
    """Give a generator the weights of an earlier training.

    Those of the training before may be of a network that has changed since: then the
    generator stays as it is.

    Raises:
        InputError: They cannot be read, or are those of another network.
    """
    problem = _load(generator, file)
    if problem is None:
        return
    if file.name == START:
        logger.warning("Starting anew: the training before %s", problem)
        return
    raise InputError(
        f"training.warm_start: {file} {problem}; it must have the same name, "
        "base_channels, structure and image size, and be trained with this version of the "
        "network, or else again. Set it for one model: "
        "<task>.<model>.training.warm_start"
    )


def _load(generator: nn.Module, file: Path) -> str | None:
    """Load weights if all of them fit; why not, otherwise."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        return f"cannot be read ({error})"
    if not fits(generator, weights):
        return "does not fit this network"
    generator.load_state_dict(weights)
    return None
