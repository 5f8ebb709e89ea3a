"""Where training runs and in which precision."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from image_translation.errors import InputError

logger = logging.getLogger(__name__)

Precision = Literal["bf16", "tf32", "fp32"]


@dataclass(frozen=True)
class Device:
    """What this machine computes on.

    Attributes:
        kind: The torch device type.
        precision: ``bf16`` where convolutions are computed in bfloat16 with weights,
            statistics and losses kept in float32; ``tf32`` where a GPU rounds the
            factors of their products to 10 bits; ``fp32`` where neither.
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
    """Choose CUDA where there is one, and bfloat16 where it is the faster one.

    Args:
        kind: ``cuda`` or ``cpu`` where the choice is the user's.
        precision: One of the precisions where the choice is the user's.

    Raises:
        InputError: What is wished for is not there.
    """
    has_cuda = torch.cuda.is_available()
    if kind == "cuda" and not has_cuda:
        raise InputError(
            "training.device: there is no CUDA device here, or this build of torch "
            "cannot use it; pass auto or cpu"
        )
    if kind == "cpu" or not has_cuda:
        if precision == "tf32":
            raise InputError(
                "training.precision: tf32 needs a GPU; pass auto, bf16 or fp32"
            )
        return Device("cpu", _cpu_precision() if precision == "auto" else precision)
    # The same seed is to give the same bytes; the fastest algorithms do not.
    torch.backends.cudnn.deterministic = True
    chosen = _cuda_precision() if precision == "auto" else precision
    torch.backends.cuda.matmul.allow_tf32 = chosen == "tf32"
    torch.backends.cudnn.allow_tf32 = chosen == "tf32"
    return Device("cuda", chosen)


def _cpu_precision() -> Precision:
    # With AVX-512's dot products alone bfloat16 trains slower than float32 does.
    has_matrix_unit = torch.cpu.get_capabilities().get("amx_bf16", False)
    return "bf16" if has_matrix_unit else "fp32"


def _cuda_precision() -> Precision:
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "tf32"
