"""The blocks that all networks here are built from (Isola et al. 2017, appendix 6)."""

from torch import nn

LEAKY_SLOPE = 0.2
"""Slope of LeakyReLU, Isola et al. 2017, 6.1; not Keras's default."""

DROPOUT = 0.5
"""Share of activations dropped, Isola et al. 2017, 6.1.1."""

MAX_WIDTH = 8
"""Widest level, as a multiple of the base width: 512 channels for 64."""

INIT_STD = 0.02
"""Standard deviation of the initial weights, Isola et al. 2017, 6.2."""

MIN_SIZE, MAX_SIZE = 32, 1024


def down_block(channels_in: int, channels_out: int, *, norm: bool = True) -> nn.Module:
    """4×4 convolution with stride 2, batch norm, LeakyReLU: halves height and width.

    Args:
        channels_in: Channels that come in.
        channels_out: Channels that go out.
        norm: Whether batch norm follows; without it the convolution has a bias.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1, bias=not norm)
    ]
    if norm:
        layers.append(nn.BatchNorm2d(channels_out))
    return nn.Sequential(*layers, nn.LeakyReLU(LEAKY_SLOPE))


def up_block(channels_in: int, channels_out: int, *, dropout: bool) -> nn.Module:
    """4×4 transposed convolution with stride 2, batch norm, ReLU: doubles the size.

    Args:
        channels_in: Channels that come in.
        channels_out: Channels that go out.
        dropout: Whether half of the activations are dropped before the ReLU.
    """
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(channels_in, channels_out, 4, 2, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    if dropout:
        layers.append(nn.Dropout(DROPOUT))
    return nn.Sequential(*layers, nn.ReLU())


def image_block(channels_in: int) -> nn.Module:
    """The last block: transposed convolution to three channels and tanh."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, 3, 4, stride=2, padding=1), nn.Tanh()
    )


def level_widths(levels: int, base_channels: int) -> list[int]:
    """Channels after each halving: the base width, doubled up to eightfold.

    >>> level_widths(6, 64)
    [64, 128, 256, 512, 512, 512]
    """
    return [base_channels * min(2**level, MAX_WIDTH) for level in range(levels)]


def check_image_size(image_size: int) -> None:
    """Accept a power of two between 32 and 1024.

    Raises:
        ValueError: Any other size.
    """
    is_power_of_two = image_size > 0 and image_size & (image_size - 1) == 0
    if not is_power_of_two or not MIN_SIZE <= image_size <= MAX_SIZE:
        raise ValueError(
            f"image_size must be a power of two from {MIN_SIZE} to {MAX_SIZE}, "
            f"not {image_size}"
        )


def initialize(network: nn.Module) -> None:
    """Draw initial weights as published: N(0, 0.02), gammas N(1, 0.02), no offsets.

    Draws from torch's global random numbers.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, INIT_STD)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, INIT_STD)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
