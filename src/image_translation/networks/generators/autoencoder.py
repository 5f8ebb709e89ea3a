"""The encoder–decoder: the counterpart of the U-Net without skip connections."""

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

BOTTLENECK_SIZE, MAX_LEVELS = 8, 5
"""Height and width of the bottleneck up to 256 px; larger images have no more levels."""


class Autoencoder(nn.Module):
    """Encoder and decoder, connected by a bottleneck alone.

    At 256 px five halvings, 64-128-256-512-512 channels, to 512×8×8: a sixth of the
    input's values. A smaller image has fewer of the innermost levels, and its bottleneck
    of 8×8 correspondingly fewer channels (128 at 128 px, 32 at 64) at any width: the
    capacity of the bottleneck defines this network. No dropout, which is the source of
    noise in pix2pix.

    Args:
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        base_channels: Channels of the outermost level.
        structure: Options; by default as in the study.

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
        default = (image_size // BOTTLENECK_SIZE).bit_length() - 1
        levels = structure.levels or min(default, MAX_LEVELS)
        check_levels(levels, image_size)
        widths = level_widths(levels, base_channels)
        widths[-1] = 4 ** min(levels, MAX_LEVELS) // 2  # a sixth of the input's values
        self.encoder = nn.Sequential(*down_blocks(widths, image_size, structure))
        self.decoder = nn.Sequential(
            *(
                up_block(widths[level], widths[level - 1], structure)
                for level in range(levels - 1, 0, -1)
            ),
            image_block(widths[0], structure),
        )
        self.output = OUTPUTS[structure.output]()
        initialize(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate N×3×H×W in [-1, 1], H and W the network's image size."""
        code = self.encoder(inputs)  # (N, C, 8, 8), C = 512 at 256 px
        return self.output(inputs, self.decoder(code))


build = Autoencoder
