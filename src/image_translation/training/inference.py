"""Translation of images with a trained generator."""

import copy
from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from image_translation.common.memory import keep_freed_memory
from image_translation.common.torch_threads import torch_threads
from image_translation.networks.acceleration import accelerate
from image_translation.training.settings import InferenceSettings
from image_translation.training.tensors import to_tensor, to_uint8


def translate(
    generator: nn.Module,
    inputs: NDArray[np.uint8],
    settings: InferenceSettings,
    seed: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Translate images in batches, in float32.

    Without dropout and batch statistics, the translation of an image depends on the image
    alone. With either, as in the paper at batch size 1, images are translated one by one:
    with their own statistics, and dropout drawn from ``seed`` and position. So results
    depend on the batch size only by the order of additions.

    Args:
        generator: Maps N×3×H×W in [-1, 1] to the same; not changed.
        inputs: uint8, N×H×W×3; may be memory-mapped, is read batch by batch.
        settings: The protocol.
        seed: Of dropout.

    Yields:
        uint8, n×H×W×3 with n at most the batch size, in the order of the inputs.
    """
    yield from translate_prepared(prepare(generator, settings), inputs, settings, seed)


def translate_prepared(
    network: nn.Module,
    inputs: NDArray[np.uint8],
    settings: InferenceSettings,
    seed: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Same as `translate`, with a network from `prepare`."""
    is_single = settings.dropout or settings.batch_statistics
    size = 1 if is_single else settings.batch_size
    for start in range(0, len(inputs), size):
        with torch_threads.adapted(_device_of(network).type):
            images = _translate_batch(
                network, inputs[start : start + size], seed + start
            )
        yield images


def prepare(generator: nn.Module, settings: InferenceSettings) -> nn.Module:
    """Copy a generator for fast inference by a protocol.

    Args:
        generator: Maps N×3×H×W in [-1, 1] to the same; not changed.
        settings: The protocol.

    Returns:
        A network for `translate_prepared` with the same protocol.
    """
    tensors = chain(generator.parameters(), generator.buffers())
    network = copy.deepcopy(generator, {id(tensor): tensor for tensor in tensors})
    network.eval()
    set_temperature(network, settings)
    if settings.batch_statistics:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # uses those of the batch
                module.running_mean = module.running_var = None
    if _device_of(network).type == "cpu":
        keep_freed_memory()
    network = accelerate(network)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train(settings.dropout)
    return MeanOfFlips(network) if settings.flips else network


def set_temperature(network: nn.Module, settings: InferenceSettings) -> None:
    """Set the temperature of colour classes, in a network that has them."""
    for module in network.modules():
        if hasattr(module, "temperature"):
            module.temperature = settings.temperature  # type: ignore[assignment]


class MeanOfFlips(nn.Module):
    """The mean of the translations of an image and of its mirror image.

    Test-time augmentation, as in Krizhevsky, Sutskever & Hinton (2012), section 4.1, for
    predictions that are images.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate N×3×H×W in [-1, 1]."""
        mirrored = self.network(inputs.flip(-1)).flip(-1)
        return (self.network(inputs) + mirrored) / 2


@torch.inference_mode()
def _translate_batch(
    network: nn.Module, inputs: NDArray[np.uint8], seed: int
) -> NDArray[np.uint8]:
    device = _device_of(network)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return to_uint8(network(to_tensor(inputs).to(device)))


def _device_of(network: nn.Module) -> torch.device:
    tensors = chain(network.parameters(), network.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
