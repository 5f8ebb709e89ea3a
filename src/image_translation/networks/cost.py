"""Parameters and operations of a network."""

import inspect

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def count_gmac(module: nn.Module, image_size: int) -> float:
    """Multiply–accumulates of one forward pass for one image, in units of 10⁹.

    Convolutions and the products of attention; the rest is less than a thousandth. A
    transposed convolution is counted on its input grid, where its products are taken;
    counted on the output grid, the U-Net's 6.05 would become the often quoted 18.

    Args:
        module: A generator, or a discriminator of two images.
        image_size: Height and width in pixels.
    """
    reference = next(module.parameters(), torch.empty(0))
    image = torch.zeros(1, 3, image_size, image_size, device=reference.device)
    images = [image] * len(inspect.signature(module.forward).parameters)
    was_training = module.training
    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*images)
    module.train(was_training)
    return counter.get_total_flops() / 2 / 1e9
