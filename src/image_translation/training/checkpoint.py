"""Files that are whole or not there, and all it takes to go on after a cut."""

import logging
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file aside, flush it to the disk and rename it.

    Args:
        path: The file; whoever reads it sees the old one or the new one.
        write: Writes to the path it is given.
    """
    aside = path.with_name(path.name + ".tmp")
    write(aside)
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(path)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Keep a training's state.

    Args:
        path: The file.
        state: Tensors, numbers and text, in lists and dictionaries; nothing else can be
            read back.
    """
    write_whole(path, lambda aside: torch.save(dict(state), aside))


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
            "%s is broken (%s); training starts from scratch",
            path,
            type(error).__name__,
        )
        return None
    return state if found == fingerprint else None
