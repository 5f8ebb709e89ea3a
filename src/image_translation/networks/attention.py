"""Self-attention over spatial positions."""

import torch
from torch import Tensor, nn

REDUCTION = 8
"""Factor by which channels are reduced inside; Zhang et al. 2019, section 3."""


class SelfAttention(nn.Module):
    """Adds to every position a weighted sum of the features at all positions.

    Zhang, Goodfellow, Metaxas & Odena (2019), "Self-attention generative adversarial
    networks", section 3, equations 1 to 3: x + γ·v(softmax(f(x)ᵀ g(x)) h(x)), with 1×1
    convolutions f, g and h to an eighth of the channels, and v back. γ starts at 0, so
    that attention has no effect at first.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.query, self.key, self.value = (
            nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3)
        )
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all positions, N×C×H×W to the same."""
        query, key, value = (
            layer(x).flatten(2) for layer in (self.query, self.key, self.value)
        )  # each (N, C/8, HW)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (N, HW, HW)
        attended = value @ weights.transpose(1, 2)  # (N, C/8, HW)
        return x + self.gamma * self.out(attended.unflatten(2, x.shape[2:]))
