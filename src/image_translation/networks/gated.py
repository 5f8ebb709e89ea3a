"""The residual block of NAFNet."""

import torch
from torch import Tensor, nn

EXPANSION = 2
"""Channels inside a block, relative to those outside, before the gates halve them."""


class GatedBlock(nn.Module):
    """Residual block with gates in place of activations.

    Chen, Chu, Zhang & Sun 2022, "Simple baselines for image restoration" (NAFNet), figure
    3 and section 4. One residual branch mixes neighbouring pixels by a depthwise
    convolution and channels by simplified channel attention, the next one mixes channels
    alone. Each branch has a factor that starts at 0, so a new block changes nothing.

    Args:
        channels: Channels of the input and the output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(2))
        self.expand = nn.Conv2d(channels, inner, 1)
        self.depthwise = DepthwiseConv2d(inner, inner, 3, padding=1, groups=inner)
        self.attend = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(channels, inner, 1), Gate(), nn.Conv2d(channels, channels, 1)
        )
        self.factors = nn.Parameter(torch.zeros(2, channels, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Refine N×C×H×W; the shape stays."""
        x = gate(self.depthwise(self.expand(self.norms[0](inputs))))
        x = x * self.attend(x.mean(dim=(2, 3), keepdim=True))
        x = inputs + self.factors[0] * self.project(x)
        return x + self.factors[1] * self.mix(self.norms[1](x))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize N×C×H×W."""
        return super().forward(inputs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution that computes in float32 on CPUs.

    Its gradients are 4 to 20 times as fast there as in bfloat16 (torch 2.13, AMX).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve each channel of N×C×H×W by itself."""
        if inputs.device.type != "cpu":
            return super().forward(inputs)
        with torch.autocast("cpu", enabled=False):
            return super().forward(inputs.float())


class Gate(nn.Module):
    """Product of the two halves of the channels (NAFNet's SimpleGate)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map N×2C×H×W to N×C×H×W."""
        return gate(inputs)


def gate(inputs: Tensor) -> Tensor:
    """Product of the two halves of the channels: N×2C×H×W to N×C×H×W."""
    first, second = inputs.chunk(2, dim=1)
    return first * second
