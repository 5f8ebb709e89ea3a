"""Describe the environment of a result."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "numpy", "scikit-image", "pandas", "kedro", "mlflow")


def describe_environment() -> dict[str, str]:
    """Versions, machine, commit and date, by name."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "image-translation": version("image_translation"),
        "commit": read_commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)))
        if hasattr(os, "sched_getaffinity")
        else str(os.cpu_count()),
        "accelerator": _accelerator(),
    }


def read_commit() -> str:
    """The commit of the code, marked if there are uncommitted changes; or "unknown"."""
    folder = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _accelerator() -> str:
    if version("torch").endswith("+cpu"):  # torch's import takes more than a second
        return "none"
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
