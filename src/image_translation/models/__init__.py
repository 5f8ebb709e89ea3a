"""Networks in plain PyTorch, without training.

Names are imported on first use, so that the names of networks can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from image_translation.models.registry import NETWORKS, build_network

if TYPE_CHECKING:
    from image_translation.models.baselines import CopyInput, MeanTarget
    from image_translation.models.blocks import Structure
    from image_translation.models.cost import count_gmac, count_parameters
    from image_translation.models.generators.autoencoder import Autoencoder
    from image_translation.models.generators.unet import UNet
    from image_translation.models.patchgan import MultiScalePatchGAN, PatchGAN

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
