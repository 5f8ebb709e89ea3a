"""Weights that a training starts from: an earlier training's, or a pretrained encoder."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.networks.encoder_weights import digest_weights, read_weights
from image_translation.training.settings import PREVIOUS, ModelSettings
from image_translation.training.trained import WEIGHTS, fits

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

START = "start.safetensors"
"""The weights of the training before, while a training starts from them."""


def digest_start(settings: ModelSettings) -> str | None:
    """Digest of the weights that a training starts from; None for random weights.

    For ``previous`` it is that word: the training replaces these weights, so with their
    digest it would never be up to date.

    Raises:
        InputError: As for `find_start`.
    """
    named = settings.training.warm_start
    if named is None or not settings.is_trainable:
        return None
    return PREVIOUS if named == PREVIOUS else file_digest(_find_named(named))


def digest_encoder(settings: ModelSettings) -> str | None:
    """Digest of the weights that an encoder starts from; None for random weights.

    Raises:
        InputError: ``training.encoder_weights`` names a file that does not exist.
    """
    source = settings.training.encoder_weights
    return source and digest_weights(settings.network.encoder, str(source))


def load_encoder(generator: "nn.Module", settings: ModelSettings) -> None:
    """Load pretrained weights into the encoder of a network that takes them.

    Raises:
        InputError: The network takes none, or the weights are missing or do not fit.
    """
    source, encoder = settings.training.encoder_weights, settings.network.encoder
    if source is None:
        return
    pretrained = getattr(generator, "pretrained", None)
    if pretrained is None:
        raise InputError(
            f"training.encoder_weights: the network {settings.network.name} has no "
            "pretrained encoder; pass null, or network.name=pretrained_unet"
        )
    try:
        pretrained.load(read_weights(encoder, str(source)))
    except ValueError as error:
        raise InputError(
            f"training.encoder_weights: {source} does not fit the encoder {encoder}"
        ) from error


def keep_previous_weights(settings: ModelSettings, folder: Path) -> None:
    """Keep the weights to start from, before a new training clears its folder.

    If some are kept already, the folder's weights are of an interrupted training.
    """
    weights, start = folder / WEIGHTS, folder / START
    is_wanted = settings.training.warm_start == PREVIOUS and not start.exists()
    if is_wanted and weights.is_file():
        os.replace(weights, start)


def find_start(settings: ModelSettings, folder: Path) -> Path | None:
    """The file of the weights to start from; None for random weights.

    Args:
        settings: The model's settings.
        folder: Folder of the replicate.

    Raises:
        InputError: ``training.warm_start`` names no weights, or those that the training
            would replace.
    """
    named = settings.training.warm_start
    if named is None or not settings.is_trainable:
        return None
    if named == PREVIOUS:
        return folder / START if (folder / START).is_file() else None
    file = _find_named(named)
    if file.resolve() == (folder / WEIGHTS).resolve():  # a hard link is another file
        raise InputError(
            f"training.warm_start: {file} would be replaced by this training; pass "
            f"{PREVIOUS} to start from it"
        )
    return file


def _find_named(named: str) -> Path:
    path = Path(named)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"training.warm_start: {file} does not exist; pass weights "
            f"(*.safetensors), a folder with {WEIGHTS}, such as "
            f"data/06_models/<task>/<model>/replicate-0, or {PREVIOUS}"
        )
    return file


def load_start(generator: "nn.Module", file: Path) -> None:
    """Load the weights of an earlier training into a generator.

    Weights of the training before may be of a network that has changed since; they are
    then ignored, with a warning.

    Raises:
        InputError: The weights cannot be read or do not fit.
    """
    problem = _load(generator, file)
    if problem is None:
        return
    if file.name == START:
        logger.warning("Starting with random weights: the previous file %s", problem)
        return
    raise InputError(
        f"training.warm_start: {file} {problem}; network name, base_channels, structure, "
        "image size and version must be the same. Set it for one model: "
        "<task>.<model>.training.warm_start"
    )


def _load(generator: "nn.Module", file: Path) -> str | None:
    """Load weights; returns the problem if they do not fit, otherwise None."""
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
