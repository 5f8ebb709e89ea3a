"""Files that are whole or not there, and all it takes to go on after a cut."""

import logging
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from image_translation.common.files import atomic_write

logger = logging.getLogger(__name__)

CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


def write_whole(
    path: Path, write: Callable[[Path], object], previous: Path | None = None
) -> None:
    """Write a file aside, flush it to the disk and rename it.

    Args:
        path: The file; whoever reads it sees the old one or the new one.
        write: Writes to the path it is given.
        previous: Where the old one goes; it is lost if not given.
    """
    with atomic_write(path, previous) as temporary:
        write(temporary)


def save_checkpoint(path: Path, state: Mapping[str, Any], previous: Path) -> None:
    """Keep a training's state, and the one before in case this one gets broken.

    Args:
        path: The file.
        state: Tensors, numbers and text, in lists and dictionaries; nothing else can be
            read back.
        previous: Where the file that was there before goes.

    Raises:
        OSError, RuntimeError: It could not be written, as on a full disk; the file that
            was there before is as it was.
    """

    def write(aside: Path) -> None:
        torch.save(dict(state), aside)

    write_whole(path, write, previous)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read a training's state, without executing what the file may hold.

    Args:
        path: The file.
        fingerprint: What the training is made from.

    Returns:
        The state; None where there is none, where it belongs to another training, or
        where it cannot be read, which is reported.
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
            "%s is broken (%s) and is not used",
            path,
            type(error).__name__,
        )
        return None
    return state if found == fingerprint else None
