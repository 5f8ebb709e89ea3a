"""Fingerprints: digests of the inputs, the parameters and the code behind an output."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel

from image_translation.common.code_cache import stored
from image_translation.common.files import require_regular
from image_translation.common.import_graph import find_code, find_file
from image_translation.common.schema import flatten

PAGES = (".html", ".css", ".js")

DIGITS = 24
"""Length of the digest of a part; shorter values of parameters are kept as text."""

NAMED = 3
"""Differences between two fingerprints that are named."""

MISSING = "its output is missing or incomplete"
"""Why an output without a stamp is stale."""


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


class Fingerprint(str):
    """A digest of everything that an output depends on.

    Attributes:
        parts: Parameters as text, inputs and code as digests, by name.
    """

    parts: Mapping[str, str]

    def __new__(cls, text: str, parts: Mapping[str, str] | None = None) -> Self:
        made = super().__new__(cls, text)
        made.parts = parts or {}
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: pandas copies the attributes of a frame in every operation."""
        return self


def explain_change(before: str | None, after: str) -> str:
    """Why an output is stale, such as ``training.epochs: 2 → 3``.

    Args:
        before: The fingerprint of the stored output; None without one.
        after: The fingerprint of the output that is asked for.
    """
    if before is None:
        return MISSING
    old, new = (getattr(text, "parts", {}) for text in (before, after))
    changed = [n for n in sorted(old | new) if old.get(n) != new.get(n)]
    if not old or not changed:
        return "it was made by an older version of the project"
    more = len(changed) - NAMED
    named = "; ".join(_name(n, old, new) for n in changed[:NAMED])
    return f"{named}; and {more} more" if more > 0 else named


def _name(part: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    values = [parts.get(part, "none") for parts in (old, new)]
    is_digest = any(len(value) == DIGITS for value in values)
    return f"{part} changed" if is_digest else f"{part}: {' → '.join(values)}"


def fingerprint(*code: str, **parts: object) -> Fingerprint:
    """The fingerprint of an output.

    Args:
        *code: What makes the output, as for `code_digest`.
        **parts: Everything else that it depends on, as for `digest`. Settings and
            mappings count by their fields; fields of settings with default values are
            left out, so that a new field changes nothing.
    """
    values = dict(code_parts(*code)) if code else {}
    for name, value in flatten(_with_fields(parts)).items():
        is_simple = isinstance(value, str | int | float | bool | None)
        text = str(value) if is_simple else ""
        is_short = is_simple and len(text) < DIGITS
        values[name] = text if is_short else digest(value)[:DIGITS]
    return Fingerprint(digest(values), values)


def _with_fields(value: object) -> Any:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return {str(name): _with_fields(part) for name, part in value.items()}
    return value


def code_digest(*entries: str) -> str:
    """SHA-256 of the code of modules or definitions, and of all code that they use.

    Excludes what changes no output: see `import_graph`.

    Args:
        *entries: Dotted names; see `find_code`. Pages and scripts in the folders of
            modules are included.
    """
    return digest(list(code_parts(*entries).values()))


@cache
def code_parts(*entries: str) -> Mapping[str, str]:
    """The digest of each module and page behind `code_digest`, by name."""
    root = find_file(entries[0].partition(".")[0])
    if root is None or root.stem != "__init__":
        return _find_parts(entries)
    return stored(root.parent, " ".join(entries), lambda: _find_parts(entries))


def _find_parts(entries: tuple[str, ...]) -> dict[str, str]:
    code = find_code(*entries)
    files = (find_file(module) for module in code)
    folders = sorted({file.parent for file in files if file is not None})
    pages = (p for f in folders for p in sorted(f.iterdir()) if p.suffix in PAGES)
    root = entries[0].partition(".")[0]
    return {
        f"code of {name.removeprefix(f'{root}.')}": digest(content)[:DIGITS]
        for name, content in (
            *((module, sorted(parts.items())) for module, parts in code.items()),
            *((page.name, page.read_text("utf-8")) for page in pages),
        )
    }


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
