"""Rewriting of networks for faster inference."""

import copy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

TAPS = ((3, 1), (2, 0))
"""Rows of the kernel of a 4×4 transposed convolution, stride 2, padding 1, that contribute
to even and odd rows of the output, in the order of the rows of the input."""


def accelerate(network: nn.Module) -> nn.Module:
    """Copy a network into a form that computes the same faster, up to rounding.

    Batch norms are folded into the convolutions before them, transposed convolutions are
    split into plain ones, and the memory format is channels last.

    Args:
        network: In evaluation mode; not changed. Only layers in an ``nn.Sequential`` are
            rewritten.

    Returns:
        A network for inference only.
    """
    rewritten = fold_batch_norms(network)
    for layers in list(rewritten.modules()):
        if isinstance(layers, nn.Sequential):
            _split_transposed(layers)
    for layer in rewritten.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight = _frozen(layer.weight)  # a new one: the old one may be shared
    return rewritten


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Copy a network with its batch norms folded into the convolutions before them.

    Args:
        network: In evaluation mode; batch norms without running statistics are kept.

    Returns:
        A network that shares the unchanged weights.
    """
    shared = chain(network.parameters(), network.buffers())
    folded = copy.deepcopy(network, {id(tensor): tensor for tensor in shared}).eval()
    for layers in list(folded.modules()):
        if isinstance(layers, nn.Sequential):
            _fold_into_neighbours(layers)
    return folded


def _fold_into_neighbours(layers: nn.Sequential) -> None:
    for number in range(len(layers) - 1):
        first, second = layers[number], layers[number + 1]
        if not isinstance(second, nn.BatchNorm2d) or second.running_var is None:
            continue
        if type(first) is nn.Conv2d:  # a subclass may do more before the batch norm
            layers[number] = fuse_conv_bn_eval(first, second)
        elif isinstance(first, nn.ConvTranspose2d) and first.groups == 1:
            layers[number] = fuse_conv_bn_eval(first, second, transpose=True)
        else:  # torch cannot fold several groups
            continue
        layers[number + 1] = nn.Identity()


def _split_transposed(layers: nn.Sequential) -> None:
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.ConvTranspose2d) and SplitTransposed.supports(layer):
            layers[number] = SplitTransposed(layer)


class SplitTransposed(nn.Module):
    """A transposed convolution (4×4, stride 2, padding 1) as four plain 2×2 ones.

    Even and odd rows and columns of the output each depend on two rows and columns of the
    input and of the kernel: the same number of products, without gaps in memory.

    Args:
        layer: The transposed convolution.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = layer.weight.detach().transpose(0, 1)  # (C out, C in, 4, 4)
        self.weights = nn.ParameterList(
            _frozen(weight[:, :, rows][:, :, :, columns])
            for rows in TAPS
            for columns in TAPS
        )
        self.bias = layer.bias

    @staticmethod
    def supports(layer: nn.ConvTranspose2d) -> bool:
        """True if a layer can be split like this."""
        form = layer.kernel_size, layer.stride, layer.padding, layer.output_padding
        is_plain = layer.groups == 1 and layer.dilation == (1, 1)
        return form == ((4, 4), (2, 2), (1, 1), (0, 0)) and is_plain

    def forward(self, inputs: Tensor) -> Tensor:
        """Double height and width, N×C×H×W."""
        count, _, height, width = inputs.shape
        outputs = torch.empty(
            (count, len(self.weights[0]), 2 * height, 2 * width),
            dtype=inputs.dtype,
            device=inputs.device,
            memory_format=torch.channels_last,
        )
        for number, weight in enumerate(self.weights):
            row, column = divmod(number, 2)
            part = F.conv2d(inputs, weight, self.bias, padding=1)  # one more each way
            outputs[:, :, row::2, column::2] = part[
                :, :, row : row + height, column : column + width
            ]
        return outputs


def _frozen(weight: Tensor) -> nn.Parameter:
    laid_out = weight.detach().contiguous(memory_format=torch.channels_last)
    return nn.Parameter(laid_out, requires_grad=False)
