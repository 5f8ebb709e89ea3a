"""Remote sources: files behind a URL, fetched through fsspec and kept."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from image_translation.errors import InputError
from image_translation.fingerprint import digest
from image_translation.progress import progress

logger = logging.getLogger(__name__)

_BATCH = 64  # files that are fetched at once
_WEB = ("http", "https")
_SECONDS_TO_CONNECT = 15
_SECONDS_OF_SILENCE = 60

# what file systems tell about a file that changes with its content
_STATE = ("size", "etag", "ETag", "mtime", "LastModified", "md5Hash", "created")


def fetch(url: str, folder: Path) -> Path:
    """Fetch a file or a folder; in later runs only what has changed of it.

    Args:
        url: Anything that fsspec knows: ``s3://``, ``gs://``, ``https://`` and others.
            A web address stands for one file. Credentials are found where the file
            system's own client looks for them, and must not stand in the URL.
        folder: Where to keep what is fetched.

    Returns:
        The file or the folder on the local disk. Where the URL cannot be reached, what
        was fetched completely before, with a warning.

    Raises:
        InputError: There is nothing at the URL, it cannot be reached and was not
            before, or its client is not installed.
    """
    if "@" in urlsplit(url).netloc and ":" in urlsplit(url).netloc.rpartition("@")[0]:
        raise InputError(
            f"source: {shown(url)}: a password in an address ends up in logs; put it where "
            "the client looks for it, such as ~/.netrc or the environment"
        )
    copy = _Copy(folder / digest(url)[:16])
    try:
        return _update(copy, url)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(
            f"source: {shown(url)} needs a client that is not installed: {error}"
        ) from error
    except Exception as error:  # every file system has errors of its own
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        if copy.is_complete():
            logger.warning(
                "%s cannot be reached (%s): going on with what was fetched before",
                shown(url),
                reason,
            )
            return copy.path()
        raise InputError(
            f"source: {shown(url)} cannot be fetched ({reason}); check the address, "
            "the network, the credentials and the room on the disk"
        ) from error


def shown(url: str) -> str:
    """A URL without user, password and query: fit for logs and reports."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Copy:
    """The local copy: files, and an index of the states that they were fetched in."""

    def __init__(self, root: Path) -> None:
        self.files = root / "files"
        self._index = root / "index.json"

    def read(self) -> dict[str, Any]:
        try:
            return json.loads(self._index.read_text("utf-8"))
        except (OSError, ValueError):
            return {"complete": False, "single": False, "states": {}}

    def write(self, states: Mapping[str, str], *, single: bool, complete: bool) -> None:
        self._index.parent.mkdir(parents=True, exist_ok=True)
        index = {"complete": complete, "single": single, "states": dict(states)}
        self._index.write_text(json.dumps(index), "utf-8")

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
        raise InputError(f"source: there is nothing at {shown(url)}; check the address")
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
    wanted = [name for name in states if name not in have]
    batches = [wanted[i : i + _BATCH] for i in range(0, len(wanted), _BATCH)]
    for batch in progress(batches, f"fetching {shown(url)}", len(wanted), "files", len):
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
    """The files below a folder, by their path below it."""
    root = remote.rstrip("/")
    found = system.find(root, detail=True)
    listed = {path.removeprefix(root).lstrip("/"): info for path, info in found.items()}
    for name in listed:
        if ".." in PurePosixPath(name).parts:
            raise InputError(f"source: {root} holds a file called {name!r}; rename it")
    return dict(sorted(listed.items()))


def _fetch_batch(system: Any, remote: list[str], local: list[Path]) -> None:
    for path in local:
        path.parent.mkdir(parents=True, exist_ok=True)
    system.get(remote, [str(path) for path in local])
