"""Atomic writes, and the files of checkpoints."""

import logging
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from image_translation.common.files import atomic_write

logger = logging.getLogger(__name__)


def write_whole(
    path: Path, write: Callable[[Path], object], previous: Path | None = None
) -> None:
    """Write a file atomically: readers see the old content or the new one.

    Args:
        path: The file.
        write: Writes the content to a temporary path.
        previous: The old file is renamed to this path; by default it is replaced.
    """
    with atomic_write(path, previous) as temporary:
        write(temporary)


def save_checkpoint(path: Path, state: Mapping[str, Any], previous: Path) -> None:
    """Save the state of a training, and keep the checkpoint before it.

    Args:
        path: The file.
        state: Tensors, numbers and text, in lists and dictionaries; nothing else can be
            loaded.
        previous: The checkpoint before is renamed to this path.

    Raises:
        OSError, RuntimeError: It could not be written, as on a full disk; the old file
            is unchanged.
    """

    def write(aside: Path) -> None:
        torch.save(dict(state), aside)

    write_whole(path, write, previous)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Load the state of a training, without executing code from the file.

    Args:
        path: The file.
        fingerprint: Fingerprint of the training.

    Returns:
        The state; None if the file does not exist, if it belongs to another training, or if it
        is unreadable, which is logged.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["fingerprint"]
    except (
        OSError,
        EOFError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        logger.warning(
            "ignoring %s, which is unreadable (%s)",
            path,
            type(error).__name__,
        )
        return None
    return state if found == fingerprint else None
