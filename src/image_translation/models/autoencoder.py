"""The encoder–decoder: the U-Net's counterpart without skip connections."""

from itertools import pairwise

from torch import Tensor, nn

from image_translation.models.blocks import (
    check_image_size,
    down_block,
    image_block,
    initialize,
    level_widths,
    up_block,
)

BOTTLENECK_SIZE = 8


class Autoencoder(nn.Module):
    """Encoder down to 8×8 and decoder back; all that passes, passes the bottleneck.

    At 256 px five halvings, 64-128-256-512-512 channels, to 512×8×8; a smaller image
    has fewer of the innermost levels. No dropout: that is pix2pix's source of noise.

    Args:
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        base_channels: Channels of the outermost level.

    Raises:
        ValueError: A size that is none of these.
    """

    def __init__(self, image_size: int = 256, base_channels: int = 64) -> None:
        super().__init__()
        check_image_size(image_size)
        levels = (image_size // BOTTLENECK_SIZE).bit_length() - 1
        widths = level_widths(levels, base_channels)
        self.encoder = nn.Sequential(
            *(
                down_block(channels_in, channels_out, norm=level > 0)
                for level, (channels_in, channels_out) in enumerate(
                    pairwise([3, *widths])
                )
            )
        )
        self.decoder = nn.Sequential(
            *(
                up_block(widths[level], widths[level - 1], dropout=False)
                for level in range(levels - 1, 0, -1)
            ),
            image_block(widths[0]),
        )
        initialize(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate images.

        Args:
            inputs: N×3×H×W in [-1, 1], H and W the network's image size.

        Returns:
            N×3×H×W in [-1, 1].
        """
        code = self.encoder(inputs)  # (N, C, 8, 8), C = 512 at 256 px and full width
        return self.decoder(code)
