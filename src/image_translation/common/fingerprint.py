"""Fingerprints: digests of the inputs, the parameters and the code behind an output."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel

from image_translation.common.files import require_regular
from image_translation.common.import_graph import find_modules, read_source

PAGES = (".html", ".css", ".js")


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
    """SHA-256 of the content of a file, 64 hexadecimal digits.

    Raises:
        OSError: The file cannot be opened, or is not a regular file.
    """
    with require_regular(path).open("rb") as file:
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
