"""The discriminator of pix2pix, and several of them at different scales."""

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm as bound

from image_translation.models.blocks import (
    LEAKY_SLOPE,
    NORMALIZATIONS,
    Structure,
    check_image_size,
    down_block,
    initialize,
    level_widths,
)

LOGITS = 30
"""Logits a side, at every image size: 30×30 at 256 px, as published."""


class _Judge(nn.Module):
    """The layers of a discriminator.

    Args:
        base_channels: Channels of the first block; 64 as published.
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        spectral_norm: Bounds what every layer can stretch a difference by, in place of
            batch norm: the largest singular value of its weights is 1 (Miyato, Kataoka,
            Koyama & Yoshida 2018, "Spectral normalization for generative adversarial
            networks").

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
    """Judges every patch of a pair, a quarter of its side: is the target real?

    Isola et al. 2017, 6.1.2, in the padding of the TensorFlow tutorial. At 256 px three
    halvings, then two 4×4 convolutions with stride 1, each on a map padded with one zero
    on every side: 32×32×256, padded to 34, 31×31×512, padded to 33, 30×30×1; each logit
    sees 70×70 pixels. A smaller image has fewer halvings, so that a patch stays a quarter
    of its side: 34 of 128 pixels, 16 of 64, 7 of 32. A judge of the whole image is
    another model, and a worse one (ibid., section 4.4).

    Args:
        base_channels: Channels of the first block; 64 as published.
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        spectral_norm: In place of batch norm (Miyato et al. 2018).
    """

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Judge pairs.

        Args:
            inputs: N×3×H×W in [-1, 1].
            targets: N×3×H×W in [-1, 1], real or generated.

        Returns:
            Logits, N×1×30×30 at every image size; positive means real.
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
            _Judge(base_channels, image_size, spectral_norm=spectral_norm)
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
