"""Fingerprints of outputs, used to skip outputs that are up to date.

A fingerprint is a digest of the inputs, the parameters and the code behind an output,
stored in a stamp file next to it. An output is up to date if its stamp matches. The
stamp is written last, so an incomplete output never matches.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel

from image_translation.common.files import write_text
from image_translation.common.import_graph import find_modules, read_source

T = TypeVar("T")

STAMP_NAME = "fingerprint.json"

PAGES = (".html", ".css", ".js")


@dataclass(frozen=True)
class Deferred(Generic[T]):
    """Output with a fingerprint that is known before it is computed.

    The dataset that saves it calls ``make`` only if the stamp does not match.
    """

    fingerprint: str
    make: Callable[[], T]


def deferred_parts(
    fingerprint: str, make: Callable[[], Sequence[Any]], count: int
) -> tuple[Deferred[Any], ...]:
    """Split one computation with several results into one deferred output each.

    Args:
        fingerprint: Common fingerprint of all outputs.
        make: Computes all outputs; called at most once.
        count: Number of outputs.
    """
    once = cache(make)
    parts = (partial(_part_of, once, number) for number in range(count))
    return tuple(Deferred(fingerprint, part) for part in parts)


def _part_of(make: Callable[[], Sequence[Any]], number: int) -> Any:
    return make()[number]


class Stamp:
    """File with the fingerprint of an output.

    Args:
        output: Folder or file of the output. The stamp of a folder is inside it, the
            stamp of a file is a hidden file next to it.
    """

    def __init__(self, output: Path) -> None:
        is_file = bool(output.suffix) and not output.is_dir()
        self.path = (
            output.with_name(f".{output.name}.{STAMP_NAME}")
            if is_file
            else output / STAMP_NAME
        )

    def read(self) -> str | None:
        """Return the stored fingerprint, or None if it is missing or unreadable."""
        try:
            return json.loads(self.path.read_text())["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def matches(self, fingerprint: str) -> bool:
        """True if the output is complete and has this fingerprint."""
        return self.read() == fingerprint

    def write(self, fingerprint: str) -> None:
        """Mark the output as complete."""
        write_text(self.path, json.dumps({"fingerprint": fingerprint}) + "\n")

    def clear(self) -> None:
        """Mark the output as incomplete."""
        self.path.unlink(missing_ok=True)


def digest(*parts: object) -> str:
    """SHA-256 of values, independent of the machine, the process and the time.

    Args:
        *parts: JSON values, paths (by name), pydantic models, arrays, data frames, or
            objects with a ``fingerprint`` attribute.

    Returns:
        64 hexadecimal digits.
    """
    sha = hashlib.sha256()
    for part in parts:
        sha.update(_canonical(part))
        sha.update(b"\x1f")
    return sha.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of the content of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 of the code of modules and of their imports within their package.

    Excludes comments, docstrings, layout, and modules that change no output
    (`import_graph.NEUTRAL`).

    Args:
        *modules: Dotted names; a package includes all of its modules. Pages and
            scripts in the folders of modules are included.
    """
    files = find_modules(*modules).values()
    folders = sorted({file.parent for file in files})
    pages = (p for f in folders for p in sorted(f.iterdir()) if p.suffix in PAGES)
    sha = hashlib.sha256()
    for text in (
        *(read_source(file)[0] for file in files),
        *(page.read_text("utf-8") for page in pages),
    ):
        sha.update(text.encode())
    return sha.hexdigest()


def _canonical(part: object) -> bytes:
    if hasattr(part, "fingerprint"):
        return str(part.fingerprint).encode()
    if isinstance(part, pd.DataFrame):
        return part.to_csv(index=False).encode()
    if isinstance(part, np.ndarray):
        return f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).data
    return json.dumps(part, sort_keys=True, default=_jsonable).encode()


def _jsonable(value: object) -> object:
    if hasattr(value, "fingerprint"):
        return value.fingerprint
    if isinstance(value, pd.DataFrame | np.ndarray):
        return digest(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"cannot fingerprint a value of type {type(value).__name__}")
