"""Remote sources: files behind a URL, downloaded through fsspec and cached."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from image_translation.common.errors import InputError
from image_translation.common.files import write_text
from image_translation.common.fingerprint import digest
from image_translation.common.progress import progress

logger = logging.getLogger(__name__)

_BATCH = 64  # files per request
_WEB = ("http", "https")
_SECONDS_TO_CONNECT = 15
_SECONDS_OF_SILENCE = 60

# properties of a file that change with its content, by file system
_STATE = ("size", "etag", "ETag", "mtime", "LastModified", "md5Hash", "created")


def fetch(url: str, folder: Path) -> Path:
    """Download a file or a folder; later calls download only changes.

    Args:
        url: Any URL that fsspec supports: ``s3://``, ``gs://``, ``https://`` and
            others. A web address is a single file. Credentials are read from the places
            of the file system's own client, and must not be part of the URL.
        folder: Folder for the files.

    Returns:
        The file or the folder on the local disk. If the URL is unreachable, the last
        complete download, with a warning.

    Raises:
        InputError: The URL does not exist, it is unreachable and was not downloaded
            before, or its client is not installed.
    """
    if "@" in urlsplit(url).netloc and ":" in urlsplit(url).netloc.rpartition("@")[0]:
        raise InputError(
            f"source: {redact(url)}: a password in a URL ends up in logs; put it where "
            "the client reads it, such as ~/.netrc or the environment"
        )
    copy = _Copy(folder / digest(url)[:16])
    try:
        return _update(copy, url)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(
            f"source: {redact(url)} needs a client that is not installed: {error}"
        ) from error
    except Exception as error:  # every file system has its own exceptions
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        if copy.is_complete():
            logger.warning(
                "%s is unreachable (%s): using the previous download",
                redact(url),
                reason,
            )
            return copy.path()
        raise InputError(
            f"source: {redact(url)} cannot be downloaded ({reason}); check the address, "
            "the network, the credentials and the free disk space"
        ) from error


def redact(url: str) -> str:
    """A URL without user, password and query, for logs and reports."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Copy:
    """The local copy: files, and an index of their remote states."""

    def __init__(self, root: Path) -> None:
        self.files = root / "files"
        self._index = root / "index.json"

    def read(self) -> dict[str, Any]:
        try:
            return json.loads(self._index.read_text("utf-8"))
        except (OSError, ValueError):
            return {"complete": False, "single": False, "states": {}}

    def write(self, states: Mapping[str, str], *, single: bool, complete: bool) -> None:
        index = {"complete": complete, "single": single, "states": dict(states)}
        write_text(self._index, json.dumps(index))

    def is_complete(self) -> bool:
        return self.read()["complete"]

    def path(self) -> Path:
        index = self.read()
        return (
            self.files / next(iter(index["states"])) if index["single"] else self.files
        )


def _update(copy: _Copy, url: str) -> Path:
    system, remote = _connect(url)
    single = url.startswith(_WEB) or system.isfile(remote)
    found = _list_file(system, remote) if single else _list_folder(system, remote)
    if not found:
        raise InputError(f"source: nothing found at {redact(url)}; check the address")
    states = {
        name: digest(*(str(info.get(k)) for k in _STATE))
        for name, info in found.items()
    }
    known = copy.read()["states"]
    have = {
        n: s
        for n, s in states.items()
        if known.get(n) == s and (copy.files / n).is_file()
    }
    for gone in known.keys() - have.keys():
        (copy.files / gone).unlink(missing_ok=True)
    copy.write(have, single=single, complete=False)
    missing = [name for name in states if name not in have]
    batches = [missing[i : i + _BATCH] for i in range(0, len(missing), _BATCH)]
    for batch in progress(
        batches, f"downloading {redact(url)}", len(missing), "files", len
    ):
        _fetch_batch(
            system,
            [found[name]["name"] for name in batch],
            [copy.files / name for name in batch],
        )
        have |= {name: states[name] for name in batch}
        copy.write(have, single=single, complete=False)
    copy.write(states, single=single, complete=True)
    return copy.path()


def _connect(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {}
    if url.startswith(_WEB):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(
            total=None,
            sock_connect=_SECONDS_TO_CONNECT,
            sock_read=_SECONDS_OF_SILENCE,
        )
        options = {"client_kwargs": {"timeout": timeout}}
    return url_to_fs(url, use_listings_cache=False, **options)


def _list_file(system: Any, remote: str) -> dict[str, dict[str, Any]]:
    name = PurePosixPath(urlsplit(remote).path).name or "file"
    return {name: system.info(remote) | {"name": remote}}


def _list_folder(system: Any, remote: str) -> dict[str, dict[str, Any]]:
    """The files below a folder, by relative path."""
    root = remote.rstrip("/")
    found = system.find(root, detail=True)
    listed = {path.removeprefix(root).lstrip("/"): info for path, info in found.items()}
    for name in listed:
        if ".." in PurePosixPath(name).parts:
            raise InputError(
                f"source: {root} contains a file named {name!r}; rename it"
            )
    return dict(sorted(listed.items()))


def _fetch_batch(system: Any, remote: list[str], local: list[Path]) -> None:
    for path in local:
        path.parent.mkdir(parents=True, exist_ok=True)
    system.get(remote, [str(path) for path in local])
