"""Runtimes for a trained generator: torch or, if available, ONNX Runtime."""

import logging
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from image_translation.export.formats import ONNX, Run, load_onnx, origin_of
from image_translation.training.devices import pick_device
from image_translation.training.inference import prepare
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate

logger = logging.getLogger(__name__)


def load_network(
    trained: TrainedReplicate,
    inference: InferenceSettings,
    exported: Path | None = None,
) -> nn.Module:
    """Load a trained generator in the fastest form for this machine.

    On a CPU, this is ONNX Runtime with the exported model, which was verified against
    torch.

    Args:
        trained: The weights.
        inference: The protocol.
        exported: The folder of the model's export, if there is one; ignored if it is
            for other weights, another protocol or older networks.

    Returns:
        A network for `translate_prepared`, on the GPU if there is one.

    Raises:
        InputError: The weights are missing or incompatible.
    """
    device = pick_device(precision="fp32").kind
    if device == "cpu" and exported:
        network = _load_exported(exported / ONNX, origin_of(trained, inference))
        if network is not None:
            return network
    return prepare(trained.load_generator().to(device), inference)


class ExportedNetwork(nn.Module):
    """A network that is computed by another runtime."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        """Translate float32, N×3×H×W in [-1, 1]."""
        return torch.from_numpy(self._run(images.contiguous().numpy()))


def _load_exported(path: Path, origin: str) -> nn.Module | None:
    if not path.is_file() or find_spec("onnxruntime") is None:
        return None
    try:
        model = load_onnx(path)
    except (
        Exception
    ) as error:  # exceptions of onnxruntime have no other common base class
        problem = f"cannot be read ({error})"
    else:
        if model.origin == origin:
            logger.info("Using ONNX Runtime: %s", path)
            return ExportedNetwork(model)
        problem = "was exported from a different model"
    logger.warning(
        "%s %s; ignored. For faster translation, export again: "
        "kedro run --pipeline=export --params task=<task>",
        path,
        problem,
    )
    return None
