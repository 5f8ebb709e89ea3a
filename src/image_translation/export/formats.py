"""Convert generators to files for other runtimes, and load these files.

ONNX Runtime and the ONNX exporter are optional: the extra ``export``.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import code_digest, digest
from image_translation.networks.registry import code_of
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

ONNX = "model.onnx"
"""File of a model in float32."""

INPUT, OUTPUT = "image", "translation"
"""Names of the ONNX model's only input and output."""

Floats = NDArray[np.float32]
Run = Callable[[Floats], Floats]
"""Translates float32, N×3×H×W in [-1, 1]."""

ORIGIN = "origin"
"""Metadata key of an ONNX model for the digest of its generator."""


def require_packages() -> None:
    """Check that the packages for writing and running ONNX models are installed.

    Raises:
        InputError: A package is missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the export needs {', '.join(missing)}; install the extra: "
            "pip install -e '.[export]' in the project's folder"
        )


def origin_of(trained: TrainedReplicate, inference: InferenceSettings) -> str:
    """Digest of weights, networks and protocol of an exported model."""
    protocol = inference.model_dump(exclude={"batch_size"})
    network = trained.config["network"]
    code = code_digest(*code_of(network["name"], network.get("output", "rgb")))
    return digest(trained.fingerprint, protocol, code)


def write_program(
    generator: nn.Module, size: int, path: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write a ``torch.export`` program for any number of images of the network's size.

    Args:
        generator: In evaluation mode, on the CPU.
        size: Height and width of the network's images in pixels.
        path: The ``.pt2`` file.
        dtype: Precision of the computation; inputs and outputs are always float32.
    """
    network = generator if dtype == torch.float32 else _Cast(generator, dtype)
    # a batch of 1 would be treated as a constant
    program = _trace(network, (2, size, size), {0: Dim("batch")})
    with _quietly():
        torch.export.save(program, path)


def load_program(path: Path) -> Run:
    """Load a ``.pt2`` file as a function."""
    with _quietly():
        network = torch.export.load(path).module()
    return run_torch(network)


def write_onnx(generator: nn.Module, size: int, path: Path, origin: str = "") -> None:
    """Write an ONNX model for any number of images and multiples of the network's size.

    Args:
        generator: In evaluation mode, on the CPU.
        size: Height and width of the network's images in pixels.
        path: The ``.onnx`` file, including the weights.
        origin: Digest of the generator, stored in the file.
    """
    rows, columns = size * Dim("rows"), size * Dim("columns")
    # different multiples, or torch would assume them to be equal
    program = _trace(
        generator, (2, 2 * size, 3 * size), {0: Dim("batch"), 2: rows, 3: columns}
    )
    with _quietly():
        written = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
            verbose=False,
        )
        assert written is not None
        written.model.metadata_props[ORIGIN] = origin
        written.save(path)


class OnnxModel:
    """An ``.onnx`` file as a function, with as many threads as torch uses.

    Attributes:
        origin: Digest of the generator; empty if the file does not state it.
    """

    def __init__(self, session: "InferenceSession") -> None:
        self._session = session
        self.origin = session.get_modelmeta().custom_metadata_map.get(ORIGIN, "")

    def __call__(self, images: Floats) -> Floats:
        """Translate float32, N×3×H×W in [-1, 1]."""
        return self._session.run([OUTPUT], {INPUT: images})[0]


def load_onnx(path: Path) -> OnnxModel:
    """Load an ``.onnx`` file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    return OnnxModel(session)


def write_fp16(source: Path, path: Path) -> None:
    """Write a copy of an ONNX model with weights and arithmetic in half precision."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with _quietly():
        model: ModelProto = convert_float_to_float16(
            onnx.load(source), keep_io_types=True
        )
    onnx.save(model, path)


def write_int8(source: Path, batches: Iterator[Floats], path: Path) -> None:
    """Write a copy of an ONNX model with weights and arithmetic in 8 bits.

    Static quantization: a scale per channel for weights, and the range on calibration
    images for activations. Weights have 7 bits, since CPUs without VNNI accumulate
    products of 8 bits in 16 bits, which overflow.

    Args:
        source: The model in float32.
        batches: Calibration images.
        path: The ``.onnx`` file.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quietly():
        quantize_static(
            source,
            path,
            _reader(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def run_torch(network: nn.Module) -> Run:
    """Wrap a torch network as a function of arrays."""

    @torch.inference_mode()
    def run(images: Floats) -> Floats:
        return network(torch.from_numpy(images)).float().numpy()

    return run


class _Cast(nn.Module):
    """A network that computes in another precision internally."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        import copy

        self.network = copy.deepcopy(network).to(dtype)
        self.dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.to(self.dtype)).float()


def _trace(
    network: nn.Module, shape: tuple[int, int, int], dynamic: dict[int, Any]
) -> ExportedProgram:
    count, height, width = shape
    example = torch.zeros(count, 3, height, width)
    with _quietly():
        return torch.export.export(network, (example,), dynamic_shapes=(dynamic,))


def _reader(batches: Iterator[Floats]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, Floats] | None:
            batch = next(batches, None)
            return None if batch is None else {INPUT: batch}

    return Reader()


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress messages of the exporters for their own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
