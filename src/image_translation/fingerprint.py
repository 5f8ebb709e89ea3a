"""Fingerprints: what an output was made from, so that nothing is made twice.

A fingerprint is a digest of the inputs, the parameters and the code behind an output.
It is kept in a stamp beside the output. Where the stamp still matches, the output is
up to date; a stamp is written last, so an output that was cut off never matches.
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
from image_translation.import_graph import find_modules, read_source

T = TypeVar("T")

STAMP_NAME = "fingerprint.json"

PAGES = (".html", ".css", ".js")


@dataclass(frozen=True)
class Deferred(Generic[T]):
    """An output whose fingerprint is known before it is made.

    The dataset that saves it calls ``make`` only where its stamp does not match.
    """

    fingerprint: str
    make: Callable[[], T]


def deferred_parts(
    fingerprint: str, make: Callable[[], Sequence[Any]], count: int
) -> tuple[Deferred[Any], ...]:
    """Outputs that are made together: what is made for one of them serves the others.

    Args:
        fingerprint: Of all of them.
        make: Makes them.
        count: How many there are.
    """
    once = cache(make)
    parts = (partial(_part_of, once, number) for number in range(count))
    return tuple(Deferred(fingerprint, part) for part in parts)


def _part_of(make: Callable[[], Sequence[Any]], number: int) -> Any:
    return make()[number]


class Stamp:
    """The fingerprint beside an output.

    Args:
        output: The output's folder or file. A folder holds its stamp, a file has it
            as a hidden neighbour.
    """

    def __init__(self, output: Path) -> None:
        is_file = bool(output.suffix) and not output.is_dir()
        self.path = (
            output.with_name(f".{output.name}.{STAMP_NAME}")
            if is_file
            else output / STAMP_NAME
        )

    def read(self) -> str | None:
        """The stored fingerprint, or None where there is none that can be read."""
        try:
            return json.loads(self.path.read_text())["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def matches(self, fingerprint: str) -> bool:
        """Whether the output beside the stamp was made from the same things."""
        return self.read() == fingerprint

    def write(self, fingerprint: str) -> None:
        """Declare the output finished."""
        write_text(self.path, json.dumps({"fingerprint": fingerprint}) + "\n")

    def clear(self) -> None:
        """Declare the output unfinished."""
        self.path.unlink(missing_ok=True)


def digest(*parts: object) -> str:
    """Digest of values, independent of the machine, the process and the clock.

    Args:
        *parts: JSON values, paths (by name), pydantic models, arrays, data frames, or
            anything that has a ``fingerprint``.

    Returns:
        64 hexadecimal digits.
    """
    sha = hashlib.sha256()
    for part in parts:
        sha.update(_canonical(part))
        sha.update(b"\x1f")
    return sha.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest(*modules: str) -> str:
    """Digest of the code of modules and of all that they import of their package.

    Comments, docstrings and layout do not count, nor do modules that change no output
    (`import_graph.NEUTRAL`).

    Args:
        *modules: Dotted names; a package is all modules in it. Pages and scripts count
            with the modules beside them.
    """
    files = find_modules(*modules).values()
    folders = sorted({file.parent for file in files})
    pages = (p for f in folders for p in sorted(f.iterdir()) if p.suffix in PAGES)
    sha = hashlib.sha256()
    for text in (
        *(read_source(file).code for file in files),
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
    raise TypeError(f"no fingerprint for a {type(value).__name__}")
