"""Networks by name."""

from collections.abc import Callable
from typing import Any

from torch import nn

from image_translation.models.autoencoder import Autoencoder
from image_translation.models.baselines import CopyInput, MeanTarget
from image_translation.models.blocks import Structure
from image_translation.models.unet import UNet

NETWORKS: dict[str, Callable[[int, int, Structure], nn.Module]] = {
    "unet": UNet,
    "autoencoder": Autoencoder,
    "copy_input": lambda image_size, base_channels, structure: CopyInput(),
    "mean_target": lambda image_size, base_channels, structure: MeanTarget(image_size),
}
"""Makers of a generator from image size, base width and structure."""


def build_network(
    name: str, image_size: int, base_channels: int, **structure: Any
) -> nn.Module:
    """Build a generator with initial weights.

    Args:
        name: A key of ``NETWORKS``.
        image_size: Height and width in pixels.
        base_channels: Channels of the outermost level; baselines have none.
        structure: Options of `Structure`; those of a network as published if not given.

    Raises:
        ValueError: An unknown name or option, or an image size the network cannot have.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {name!r}")
    return NETWORKS[name](image_size, base_channels, Structure(**structure))
