"""What computes a trained generator: torch, or ONNX Runtime where that is at hand."""

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
    """Load what was trained in the form that this machine computes fastest.

    On a CPU that is ONNX Runtime. Its model comes from the export, which has checked
    that it computes what torch does.

    Args:
        trained: The weights.
        inference: The protocol.
        exported: The folder of the model's export, where there is one; passed over
            where it is of other weights, of another protocol or of older networks.

    Returns:
        A network for `translate_prepared`, on the GPU where there is one.

    Raises:
        InputError: The weights are not there or do not fit.
    """
    device = pick_device().kind
    if device == "cpu" and exported:
        network = _load_exported(exported / ONNX, origin_of(trained, inference))
        if network is not None:
            return network
    return prepare(trained.load_generator().to(device), inference)


class ExportedNetwork(nn.Module):
    """A network that another runtime computes."""

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
    except Exception as error:  # those of onnxruntime have no other base in common
        problem = f"cannot be read ({error})"
    else:
        if model.origin == origin:
            logger.info("ONNX Runtime translates, with %s", path)
            return ExportedNetwork(model)
        problem = "is of another model than the one that translates"
    logger.warning(
        "%s %s, and is left aside; to translate faster, export again: "
        "kedro run --pipeline=export --params task=<task>",
        path,
        problem,
    )
    return None
