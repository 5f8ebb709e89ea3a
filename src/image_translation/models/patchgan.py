"""The discriminator of pix2pix, and several of them at different scales."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm as bound

from image_translation.models.blocks import (
    LEAKY_SLOPE,
    NORMALIZATIONS,
    Structure,
    down_block,
    initialize,
)


class _Judge(nn.Module):
    """The layers of a discriminator.

    Args:
        base_channels: Channels of the first block; 64 as published.
        spectral_norm: Bounds what every layer can stretch a difference by, in place of
            batch norm: the largest singular value of its weights is 1 (Miyato, Kataoka,
            Koyama & Yoshida 2018, "Spectral normalization for generative adversarial
            networks").
    """

    def __init__(self, base_channels: int = 64, *, spectral_norm: bool = False) -> None:
        super().__init__()
        width = base_channels
        structure = Structure(normalization="none" if spectral_norm else "batch")
        norms = NORMALIZATIONS[structure.normalization](8 * width)
        self.blocks = nn.Sequential(
            down_block(6, width, norm=False),
            down_block(width, 2 * width, structure),
            down_block(2 * width, 4 * width, structure),
            nn.Conv2d(4 * width, 8 * width, 4, stride=1, padding=1, bias=not norms),
            *norms,
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(8 * width, 1, 4, stride=1, padding=1),
        )
        initialize(self)
        if spectral_norm:
            for module in self.blocks.modules():
                if isinstance(module, nn.Conv2d):
                    bound(module)

    def _activations(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        """What every layer makes of pairs, the logits last."""
        x = torch.cat([inputs, targets], dim=1)
        found = []
        for block in self.blocks:
            x = block(x)
            if isinstance(block, nn.Sequential | nn.LeakyReLU):  # a layer ends here
                found.append(x)
        return [*found, x]


class PatchGAN(_Judge):
    """Judges every 70×70 patch of a pair: is the target real or generated?

    Isola et al. 2017, 6.1.2, in the padding of the TensorFlow tutorial: three halvings,
    then two 4×4 convolutions with stride 1, each on a map padded with one zero on
    every side. At 256 px: 32×32×256, padded to 34, 31×31×512, padded to 33, 30×30×1.

    Args:
        base_channels: Channels of the first block; 64 as published.
        spectral_norm: In place of batch norm (Miyato et al. 2018).
    """

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Judge pairs.

        Args:
            inputs: N×3×H×W in [-1, 1].
            targets: N×3×H×W in [-1, 1], real or generated.

        Returns:
            Logits, N×1×(H/8-2)×(W/8-2), 30×30 at 256 px; positive means real.
        """
        return self.blocks(torch.cat([inputs, targets], dim=1))


class MultiScalePatchGAN(_Judge):
    """The same judge once for every scale, each with weights of its own.

    Wang, Liu, Zhu, Tao, Kautz & Catanzaro (2018), "High-resolution image synthesis and
    semantic manipulation with conditional GANs" (pix2pixHD), section 3.2. The coarser
    ones see the pair halved, by means of 2×2 pixels, and more of it at once. The finest
    has the weights, and their names, of a `PatchGAN`.

    Args:
        base_channels: Channels of the first block; 64 as published.
        scales: How many there are.
        spectral_norm: In place of batch norm (Miyato et al. 2018).
    """

    def __init__(
        self, base_channels: int = 64, scales: int = 1, *, spectral_norm: bool = False
    ) -> None:
        super().__init__(base_channels, spectral_norm=spectral_norm)
        self.coarser = nn.ModuleList(
            _Judge(base_channels, spectral_norm=spectral_norm)
            for _ in range(scales - 1)
        )

    def forward(self, inputs: Tensor, targets: Tensor) -> list[list[Tensor]]:
        """Judge pairs.

        Args:
            inputs: N×3×H×W in [-1, 1].
            targets: N×3×H×W in [-1, 1], real or generated.

        Returns:
            For every scale, the finest first, what each layer made of the pairs; the
            last are its logits, as those of `PatchGAN`.
        """
        judged = [self._activations(inputs, targets)]
        for judge in cast(Iterable[_Judge], self.coarser):
            inputs, targets = F.avg_pool2d(inputs, 2), F.avg_pool2d(targets, 2)
            judged.append(judge._activations(inputs, targets))
        return judged
