"""Networks in plain PyTorch, without training.

Names are imported on first use, so that the names of networks can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from image_translation.networks.registry import NETWORKS, build_network

if TYPE_CHECKING:
    from image_translation.networks.baselines import CopyInput, MeanTarget
    from image_translation.networks.blocks import Structure
    from image_translation.networks.cost import count_gmac, count_parameters
    from image_translation.networks.generators.autoencoder import Autoencoder
    from image_translation.networks.generators.unet import UNet
    from image_translation.networks.patchgan import MultiScalePatchGAN, PatchGAN

__all__ = [
    "NETWORKS",
    "Autoencoder",
    "CopyInput",
    "MeanTarget",
    "MultiScalePatchGAN",
    "PatchGAN",
    "Structure",
    "UNet",
    "build_network",
    "count_gmac",
    "count_parameters",
]

_MODULES = {
    "Autoencoder": "generators.autoencoder",
    "CopyInput": "baselines",
    "MeanTarget": "baselines",
    "MultiScalePatchGAN": "patchgan",
    "PatchGAN": "patchgan",
    "Structure": "blocks",
    "UNet": "generators.unet",
    "count_gmac": "cost",
    "count_parameters": "cost",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
