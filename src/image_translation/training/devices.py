"""Devices and precisions."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from image_translation.common.errors import InputError
from image_translation.training.precision import fastest_precision

logger = logging.getLogger(__name__)

Precision = Literal["bf16", "tf32", "fp32"]


@dataclass(frozen=True)
class Device:
    """A device and the precision of its computations.

    Attributes:
        kind: The torch device type.
        precision: ``bf16``: convolutions in bfloat16; weights, statistics and losses in
            float32. ``tf32``: a GPU rounds the factors of products to 10 bits. ``fp32``:
            neither.
    """

    kind: Literal["cuda", "cpu"]
    precision: Precision

    def autocast(self) -> AbstractContextManager:
        """Context in which networks compute in this precision."""
        return torch.autocast(
            self.kind, torch.bfloat16, enabled=self.precision == "bf16"
        )


def pick_device(
    kind: Literal["auto", "cuda", "cpu"] = "auto",
    precision: Literal["auto", "bf16", "tf32", "fp32"] = "auto",
) -> Device:
    """Choose CUDA if available, and bfloat16 if it is faster.

    On a CPU this is measured, see `fastest_precision`.

    Args:
        kind: ``auto``, or the device to use.
        precision: ``auto``, or the precision to use.

    Raises:
        InputError: The device or precision is not available.
    """
    has_cuda = torch.cuda.is_available()
    if kind == "cuda" and not has_cuda:
        raise InputError(
            "training.device: no CUDA device is available, or this build of torch "
            "cannot use it; pass auto or cpu"
        )
    if kind == "cpu" or not has_cuda:
        if precision == "tf32":
            raise InputError(
                "training.precision: tf32 needs a GPU; pass auto, bf16 or fp32"
            )
        return Device("cpu", fastest_precision() if precision == "auto" else precision)
    # The same seed must give the same bytes; the fastest algorithms do not.
    torch.backends.cudnn.deterministic = True
    chosen = _cuda_precision() if precision == "auto" else precision
    torch.backends.cuda.matmul.allow_tf32 = chosen == "tf32"
    torch.backends.cudnn.allow_tf32 = chosen == "tf32"
    return Device("cuda", chosen)


def _cuda_precision() -> Precision:
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "tf32"
