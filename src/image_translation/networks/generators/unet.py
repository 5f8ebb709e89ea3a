"""The U-Net of pix2pix."""

import torch
from torch import Tensor, nn

from image_translation.networks.blocks import (
    PUBLISHED,
    Structure,
    check_image_size,
    check_levels,
    down_blocks,
    image_block,
    initialize,
    level_widths,
    up_block,
)
from image_translation.networks.outputs import OUTPUTS

DROPOUT_BLOCKS = 3


class UNet(nn.Module):
    """Encoder and decoder with a skip connection at every level.

    Isola et al. 2017, 6.1.1. At 256 px eight halvings down to 1×1,
    64-128-256-512-512-512-512-512 channels, and back; a smaller image has fewer of
    the innermost levels. Dropout in the first three blocks up. The 1×1 bottleneck has
    no batch norm: it has no statistics at batch size 1.

    Args:
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        base_channels: Channels of the outermost level; 64 as published.
        structure: Options; by default as published.

    Raises:
        ValueError: Another image size, or levels that do not suit it.
    """

    def __init__(
        self,
        image_size: int = 256,
        base_channels: int = 64,
        structure: Structure = PUBLISHED,
    ) -> None:
        super().__init__()
        check_image_size(image_size)
        levels = structure.levels or image_size.bit_length() - 1  # log2: down to 1×1
        check_levels(levels, image_size)
        widths = level_widths(levels, base_channels)
        self.encoder = nn.ModuleList(down_blocks(widths, image_size, structure))
        # Every block up except the innermost also gets the skip connection of its level.
        self.decoder = nn.ModuleList(
            up_block(
                widths[level] * (1 if level == levels - 1 else 2),
                widths[level - 1],
                structure,
                dropout=structure.dropout * (levels - 1 - level < DROPOUT_BLOCKS),
            )
            for level in range(levels - 1, 0, -1)
        )
        self.head = image_block(2 * widths[0], structure)
        self.output = OUTPUTS[structure.output]()
        initialize(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate N×3×H×W in [-1, 1], H and W the network's image size."""
        x = inputs
        skips = []
        for down in self.encoder:
            x = down(x)  # (N, C, H/2, W/2), finally (N, 8·base, 1, 1)
            skips.append(x)
        skips.pop()  # the bottleneck has no skip
        for up in self.decoder:
            x = torch.cat([up(x), skips.pop()], dim=1)  # (N, 2C, 2H, 2W)
        return self.output(inputs, self.head(x))


build = UNet
