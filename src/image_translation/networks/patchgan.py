"""The PatchGAN discriminator of pix2pix, and several of them at different scales."""

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from image_translation.networks.blocks import (
    LEAKY_SLOPE,
    NORMALIZATIONS,
    Structure,
    check_image_size,
    down_block,
    initialize,
    level_widths,
)

LOGITS = 30
"""Height and width of the logits at every image size; as published at 256 px."""


class _Discriminator(nn.Module):
    """The layers of a discriminator.

    Args:
        base_channels: Channels of the first block; 64 as published.
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        spectral_norm: Normalizes the weights of every layer to a largest singular value
            of 1, in place of batch norm (Miyato, Kataoka, Koyama & Yoshida 2018,
            "Spectral normalization for generative adversarial networks").

    Raises:
        ValueError: Another image size.
    """

    def __init__(
        self,
        base_channels: int = 64,
        image_size: int = 256,
        *,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        check_image_size(image_size)
        structure = Structure(normalization="none" if spectral_norm else "batch")
        halvings = (image_size // (LOGITS + 2)).bit_length() - 1
        *widths, last = level_widths(halvings + 1, base_channels)
        downs = [
            down_block(before, after, structure, norm=before != 6)
            for before, after in pairwise([6, *widths])
        ]
        norms = NORMALIZATIONS[structure.normalization](last) if downs else []
        before = widths[-1] if widths else 6
        self.blocks = nn.Sequential(
            *downs,
            nn.Conv2d(before, last, 4, stride=1, padding=1, bias=not norms),
            *norms,
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Conv2d(last, 1, 4, stride=1, padding=1),
        )
        initialize(self)
        if spectral_norm:
            for module in self.blocks.modules():
                if isinstance(module, nn.Conv2d):
                    parametrizations.spectral_norm(module)

    def _activations(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Outputs of every layer, the logits last."""
        x = torch.cat([inputs, targets], dim=1)
        found = []
        for block in self.blocks:
            x = block(x)
            if isinstance(block, nn.Sequential | nn.LeakyReLU):  # a layer ends here
                found.append(x)
        return [*found, x]


class PatchGAN(_Discriminator):
    """Classifies every patch of a pair as real or generated.

    Isola et al. 2017, 6.1.2, in the padding of the TensorFlow tutorial. At 256 px three
    halvings, then two 4×4 convolutions with stride 1, each on a map padded with one zero
    on every side: 32×32×256, padded to 34, 31×31×512, padded to 33, 30×30×1; each logit
    sees 70×70 pixels. A smaller image has fewer halvings, so that a patch stays about a
    quarter of the image size: 34 of 128 pixels, 16 of 64, 7 of 32. A discriminator of the
    whole image gives worse results (ibid., section 4.4).

    Args:
        base_channels: Channels of the first block; 64 as published.
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        spectral_norm: In place of batch norm (Miyato et al. 2018).
    """

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Classify pairs of N×3×H×W in [-1, 1]; targets are real or generated.

        Returns:
            Logits, N×1×30×30 at every image size; positive means real.
        """
        return self.blocks(torch.cat([inputs, targets], dim=1))


class MultiScalePatchGAN(_Discriminator):
    """One discriminator for each scale, each with weights of its own.

    Wang, Liu, Zhu, Tao, Kautz & Catanzaro (2018), "High-resolution image synthesis and
    semantic manipulation with conditional GANs" (pix2pixHD), section 3.2. The coarser
    ones see the pair at half the size of the one before, averaged over 2×2 pixels, and so
    larger patches. The finest has the weights, and their names, of a `PatchGAN`.

    Args:
        base_channels: Channels of the first block; 64 as published.
        scales: Number of discriminators.
        image_size: Height and width of the pair in pixels, as for a `PatchGAN`.
        spectral_norm: In place of batch norm (Miyato et al. 2018).
    """

    def __init__(
        self,
        base_channels: int = 64,
        scales: int = 1,
        image_size: int = 256,
        *,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__(base_channels, image_size, spectral_norm=spectral_norm)
        self.coarser = nn.ModuleList(
            _Discriminator(base_channels, image_size, spectral_norm=spectral_norm)
            for _ in range(scales - 1)
        )

    def forward(self, inputs: Tensor, targets: Tensor) -> list[list[Tensor]]:
        """Classify pairs of N×3×H×W in [-1, 1]; targets are real or generated.

        Returns:
            For every scale, the finest first, the outputs of each layer; the last are
            the logits, as those of `PatchGAN`.
        """
        features = [self._activations(inputs, targets)]
        for coarser in cast(Iterable[_Discriminator], self.coarser):
            inputs, targets = F.avg_pool2d(inputs, 2), F.avg_pool2d(targets, 2)
            features.append(coarser._activations(inputs, targets))
        return features
