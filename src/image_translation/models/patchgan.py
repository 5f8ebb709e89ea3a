"""The discriminator of pix2pix."""

import torch
from torch import Tensor, nn

from image_translation.models.blocks import LEAKY_SLOPE, down_block, initialize


class PatchGAN(nn.Module):
    """Judges every 70×70 patch of a pair: is the target real or generated?

    Isola et al. 2017, 6.1.2, in the padding of the TensorFlow tutorial: three halvings,
    then two 4×4 convolutions with stride 1, each on a map padded with one zero on
    every side. At 256 px: 32×32×256, padded to 34, 31×31×512, padded to 33, 30×30×1.

    Args:
        base_channels: Channels of the first block; 64 as published.
    """

    def __init__(self, base_channels: int = 64) -> None:
        super().__init__()
        width = base_channels
        self.blocks = nn.Sequential(
            down_block(6, width, norm=False),
            down_block(width, 2 * width),
            down_block(2 * width, 4 * width),
            nn.Conv2d(4 * width, 8 * width, 4, stride=1, padding=1, bias=False),
            nn.BatchNorm2d(8 * width),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(8 * width, 1, 4, stride=1, padding=1),
        )
        initialize(self)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Judge pairs.

        Args:
            inputs: N×3×H×W in [-1, 1].
            targets: N×3×H×W in [-1, 1], real or generated.

        Returns:
            Logits, N×1×(H/8-2)×(W/8-2), 30×30 at 256 px; positive means real.
        """
        return self.blocks(torch.cat([inputs, targets], dim=1))
