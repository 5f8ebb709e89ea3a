"""Where training runs and in which precision."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch


@dataclass(frozen=True)
class Device:
    """What this machine computes on.

    Attributes:
        kind: The torch device type.
        precision: ``bf16`` where convolutions are computed in bfloat16 with weights,
            statistics and losses kept in float32; ``fp32`` where not.
    """

    kind: Literal["cuda", "cpu"]
    precision: Literal["bf16", "fp32"]

    def autocast(self) -> AbstractContextManager:
        """Context in which networks compute in this precision."""
        return torch.autocast(
            self.kind, torch.bfloat16, enabled=self.precision == "bf16"
        )


def pick_device() -> Device:
    """Choose CUDA where there is one, and bfloat16 where it is the faster one."""
    if torch.cuda.is_available():
        # The same seed is to give the same bytes; the fastest algorithms do not.
        torch.backends.cudnn.deterministic = True
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device("cuda", "bf16" if has_bf16 else "fp32")
    # With AVX-512's dot products alone bfloat16 trains slower than float32 does.
    has_matrix_unit = torch.cpu.get_capabilities().get("amx_bf16", False)
    return Device("cpu", "bf16" if has_matrix_unit else "fp32")
