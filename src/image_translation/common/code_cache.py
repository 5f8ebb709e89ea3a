"""Results that follow from the source of a package, stored beside its compiled modules."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from image_translation.common.files import write_text

FILE = Path("__pycache__") / "code_digests.json"


def stored(package: Path, key: str, compute: Callable[[], Any]) -> Any:
    """A result of an earlier process with the same source and Python, or a new one.

    Args:
        package: Folder of the package.
        key: Names the result.
        compute: Returns the result, a JSON value.
    """
    source = _digest_source(package)
    results = _read(package, source)
    if key not in results:
        results[key] = compute()
        with suppress(OSError):  # such as a read-only installation
            content = {"source": source, "results": results}
            write_text(package / FILE, json.dumps(content))
    return results[key]


@cache
def _digest_source(package: Path) -> str:
    sha = hashlib.sha256(sys.version.encode())
    for folder, folders, files in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(folder, name)
            sha.update(path.relative_to(package).as_posix().encode())
            sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


@cache
def _read(package: Path, source: str) -> dict[str, Any]:
    try:
        content = json.loads((package / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    is_current = isinstance(content, dict) and content.get("source") == source
    return content["results"] if is_current else {}
