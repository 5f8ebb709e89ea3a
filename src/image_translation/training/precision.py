"""The fastest precision of a CPU, measured once."""

import logging
import platform
import time
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch.nn import functional as F

import image_translation
from image_translation.common.code_cache import stored

logger = logging.getLogger(__name__)

GAIN = 0.9
"""Largest share of the time in float32 at which bfloat16 is chosen."""

ROUNDS = 5
"""The fastest round counts: other processes disturb single ones."""


@cache
def fastest_precision() -> Literal["bf16", "fp32"]:
    """The faster precision for training on this CPU.

    Instructions for bfloat16 are a reason to measure, not to choose: some CPUs have them
    and are slower. The result is kept beside the compiled modules, so a busy moment does
    not change it.
    """
    capabilities = torch.cpu.get_capabilities()
    if not any("bf16" in name and value for name, value in capabilities.items()):
        return "fp32"
    machine = [platform.machine(), torch.__version__, torch.get_num_threads()]
    key = f"bf16 share {machine} {sorted(capabilities.items())}"
    package = Path(image_translation.__file__).parent
    share = stored(package, key, measure_share)
    chosen: Literal["bf16", "fp32"] = "bf16" if share <= GAIN else "fp32"
    logger.info(
        "Precision for training: %s; a convolution with its gradients takes %.2f times as "
        "long in bfloat16 as in float32",
        chosen,
        share,
    )
    return chosen


def measure_share() -> float:
    """Time of a convolution with its gradients in bfloat16, relative to float32.

    A layer of a U-Net at 64 pixels: 4×4 kernel, stride 2, 64 to 128 channels, 16 maps of
    32×32.
    """
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(16, 64, 32, 32, generator=random)
    weight = torch.randn(128, 64, 4, 4, generator=random)
    maps, weight = (
        x.contiguous(memory_format=torch.channels_last).requires_grad_()
        for x in (maps, weight)
    )

    def seconds(enabled: bool) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            result = F.conv2d(maps, weight, stride=2, padding=1)
        torch.autograd.grad(result.float().sum(), (maps, weight))
        return time.perf_counter() - started

    for enabled in (False, True):  # the first call prepares kernels
        seconds(enabled)
    times = [(seconds(False), seconds(True)) for _ in range(ROUNDS)]
    plain, half = (min(column) for column in zip(*times, strict=True))
    return round(half / plain, 3)
