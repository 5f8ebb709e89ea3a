"""Networks, plain torch: what they are, not how they are trained."""

from image_translation.models.autoencoder import Autoencoder
from image_translation.models.baselines import CopyInput, MeanTarget
from image_translation.models.blocks import Structure
from image_translation.models.cost import count_gmac, count_parameters
from image_translation.models.patchgan import MultiScalePatchGAN, PatchGAN
from image_translation.models.registry import NETWORKS, build_network
from image_translation.models.unet import UNet

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
