"""The blocks of all networks (Isola et al. 2017, appendix 6)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from image_translation.networks.attention import SelfAttention
from image_translation.networks.gated import GatedBlock
from image_translation.networks.outputs import OUTPUTS

LEAKY_SLOPE = 0.2
"""Slope of LeakyReLU, Isola et al. 2017, 6.1; not Keras's default."""

DROPOUT = 0.5
"""Share of activations dropped, Isola et al. 2017, 6.1.1."""

MAX_WIDTH = 8
"""Widest level, as a multiple of the base width: 512 channels for 64."""

INIT_STD = 0.02
"""Standard deviation of the initial weights, Isola et al. 2017, 6.2."""

MIN_SIZE, MAX_SIZE = 32, 1024

MIN_LEVELS = 2
"""With fewer, a U-Net has no skip connection."""

ATTENTION_SIZE = 16
"""Height and width of the maps with self-attention: 256 positions, which is cheap."""

GROUP_WIDTH = 16
"""Channels in a group; the best value in Wu & He 2018, table 3."""


@dataclass(frozen=True)
class Structure:
    """Options of a generator; the defaults are those of Isola et al. (2017).

    Attributes:
        output: The output layer, a key of ``outputs.OUTPUTS``: ``rgb``, ``residual``,
            ``lab``, ``ycbcr`` or ``classes``.
        upsampling: Layer that doubles the size, a key of ``UPSAMPLING``. ``transposed``: a
            transposed convolution, as published. ``resize``: nearest neighbour, then a
            convolution (Odena, Dumoulin & Olah 2016, "Deconvolution and checkerboard
            artifacts"). ``shuffle``: a convolution whose channels become pixels (Shi et
            al. 2016, "Real-time single image and video super-resolution using an
            efficient sub-pixel convolutional neural network"), see `SubPixelConv2d`.
        normalization: Of the blocks' channels, a key of ``NORMALIZATIONS``: ``batch``,
            as published, ``instance`` (Ulyanov, Vedaldi & Lempitsky 2016, "Instance
            normalization: the missing ingredient for fast stylization"), ``group`` (Wu &
            He 2018, "Group normalization") or ``none``.
        attention: Whether maps of 16×16 have `SelfAttention`.
        dropout: Share of activations dropped in the first three blocks up of the U-Net;
            the encoder–decoder has no dropout.
        levels: Number of halvings; None for the default of the network. Fewer are cheaper
            and have a smaller receptive field.
        blocks: Number of residual blocks at the end of each block down and up, see
            `GatedBlock`; in ``pretrained_unet`` in the decoder alone.
        encoder: The encoder of ``pretrained_unet``: ``lite0``, ``lite1`` or ``lite2``.

    Raises:
        ValueError: An unknown name.
    """

    output: str = "rgb"
    upsampling: str = "transposed"
    normalization: str = "batch"
    attention: bool = False
    dropout: float = DROPOUT
    levels: int | None = None
    blocks: int = 0
    encoder: str = "lite0"

    def __post_init__(self) -> None:
        for option, known in (
            ("output", OUTPUTS),
            ("upsampling", UPSAMPLING),
            ("normalization", NORMALIZATIONS),
        ):
            value = getattr(self, option)
            if value not in known:
                raise ValueError(
                    f"{option} must be one of {', '.join(known)}, not {value!r}"
                )


class SubPixelConv2d(nn.Conv2d):
    """3×3 convolution whose fourfold channels are rearranged to 2×2 pixels.

    Shi et al. 2016, section 2.2; the four start with equal weights (Aitken et al. 2017,
    "Checkerboard artifact free sub-pixel convolution", ICNR), so that it starts as a
    resize convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool) -> None:
        super().__init__(channels_in, 4 * channels_out, 3, padding=1, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Double the size: N×C×H×W to N×C'×2H×2W."""
        return F.pixel_shuffle(super().forward(inputs), 2)

    def tie(self) -> None:
        """Set the weights of the four channels of a pixel block to those of the first."""
        self.weight.data.copy_(self.weight.data[::4].repeat_interleave(4, dim=0))


def _transposed(channels_in: int, channels_out: int, bias: bool) -> list[nn.Module]:
    return [nn.ConvTranspose2d(channels_in, channels_out, 4, 2, padding=1, bias=bias)]


def _resize(channels_in: int, channels_out: int, bias: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=bias)
    return [nn.Upsample(scale_factor=2, mode="nearest"), convolution]


def _shuffle(channels_in: int, channels_out: int, bias: bool) -> list[nn.Module]:
    return [SubPixelConv2d(channels_in, channels_out, bias=bias)]


UPSAMPLING: Mapping[str, Callable[[int, int, bool], list[nn.Module]]] = {
    "transposed": _transposed,
    "resize": _resize,
    "shuffle": _shuffle,
}
"""Layers that double height and width, from channels in, channels out and bias."""

NORMALIZATIONS: Mapping[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "instance": lambda channels: [nn.InstanceNorm2d(channels, affine=True)],
    "group": lambda channels: [nn.GroupNorm(_groups(channels), channels)],
    "none": lambda channels: [],
}
"""Normalization layers, from the number of channels."""

PUBLISHED = Structure()


def _groups(channels: int) -> int:
    return math.gcd(channels, max(1, channels // GROUP_WIDTH))


def down_block(
    channels_in: int,
    channels_out: int,
    structure: Structure = PUBLISHED,
    *,
    norm: bool = True,
    attention: bool = False,
) -> nn.Sequential:
    """4×4 convolution with stride 2, norm, LeakyReLU: halves height and width.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        structure: The normalization.
        norm: Whether to normalize; otherwise the convolution has a bias.
        attention: Whether the block ends with self-attention.
    """
    norms = NORMALIZATIONS[structure.normalization](channels_out) if norm else []
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1, bias=not norms),
        *norms,
        nn.LeakyReLU(LEAKY_SLOPE),
        *([SelfAttention(channels_out)] if attention else []),
        *gated_blocks(channels_out, structure),
    )


def down_blocks(
    widths: Sequence[int], image_size: int, structure: Structure = PUBLISHED
) -> list[nn.Sequential]:
    """The encoder: a block for each width, from an image of three channels.

    The first block has no norm, as published, and neither has a 1×1 map, which has no
    statistics at batch size 1.
    """
    blocks: list[nn.Sequential] = []
    size = image_size
    for channels_in, channels_out in pairwise([3, *widths]):
        size //= 2  # of the output of the block
        blocks.append(
            down_block(
                channels_in,
                channels_out,
                structure,
                norm=bool(blocks) and size > 1,
                attention=structure.attention and size == ATTENTION_SIZE,
            )
        )
    return blocks


def up_block(
    channels_in: int,
    channels_out: int,
    structure: Structure = PUBLISHED,
    *,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Upsampling convolution, norm, ReLU: doubles height and width.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        structure: Upsampling and normalization.
        dropout: Share of activations dropped before the ReLU.
    """
    norms = NORMALIZATIONS[structure.normalization](channels_out)
    return nn.Sequential(
        *UPSAMPLING[structure.upsampling](channels_in, channels_out, not norms),
        *norms,
        *([nn.Dropout(dropout)] if dropout else []),
        nn.ReLU(),
        *gated_blocks(channels_out, structure),
    )


def gated_blocks(channels: int, structure: Structure) -> list[GatedBlock]:
    """The residual blocks at the end of a level."""
    return [GatedBlock(channels) for _ in range(structure.blocks)]


def image_block(channels_in: int, structure: Structure = PUBLISHED) -> nn.Sequential:
    """The last block: convolution to the channels and size of the output layer's values.

    Its inputs have half the size of the image.
    """
    layer = OUTPUTS[structure.output]
    if layer.halvings:
        stride = 2 ** (layer.halvings - 1)
        smaller = nn.Conv2d(channels_in, layer.channels, 3, stride, padding=1)
        return nn.Sequential(smaller, layer.activation())
    upsample = UPSAMPLING[structure.upsampling]
    return nn.Sequential(
        *upsample(channels_in, layer.channels, True), layer.activation()
    )


def level_widths(levels: int, base_channels: int) -> list[int]:
    """Channels after each halving: the base width, doubled up to eightfold.

    >>> level_widths(6, 64)
    [64, 128, 256, 512, 512, 512]
    """
    return [base_channels * min(2**level, MAX_WIDTH) for level in range(levels)]


def check_image_size(image_size: int) -> None:
    """Check that an image size is a power of two from 32 to 1024.

    Raises:
        ValueError: Any other size.
    """
    is_power_of_two = image_size > 0 and image_size & (image_size - 1) == 0
    if not is_power_of_two or not MIN_SIZE <= image_size <= MAX_SIZE:
        raise ValueError(
            f"image_size must be a power of two from {MIN_SIZE} to {MAX_SIZE}, "
            f"not {image_size}"
        )


def check_levels(levels: int, image_size: int) -> None:
    """Check that images of a size can be halved so often.

    Raises:
        ValueError: Any other number.
    """
    most = image_size.bit_length() - 1
    if not MIN_LEVELS <= levels <= most:
        raise ValueError(
            f"levels must be from {MIN_LEVELS} to {most} for images of {image_size} "
            f"pixels, not {levels}"
        )


def initialize(network: nn.Module) -> None:
    """Draw initial weights as published: N(0, 0.02), gammas N(1, 0.02), zero offsets.

    Uses torch's global random numbers.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, INIT_STD)
            if isinstance(module, SubPixelConv2d):
                module.tie()
        elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, INIT_STD)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
