"""Remote sources: files behind a URL, downloaded through fsspec and cached."""

import functools
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fsspec.callbacks import Callback

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import write_text
from image_translation.common.fingerprint import digest
from image_translation.common.progress import progress
from image_translation.common.secrets import mask_address, without_credentials
from image_translation.sources import limits
from image_translation.sources.limits import DownloadLimitError, Meter, run_limited

logger = logging.getLogger(__name__)

_BATCH = 64  # files per request
_WEB = ("http", "https")
_SECONDS_TO_CONNECT = 15
_SECONDS_OF_SILENCE = 60

# properties of a file that change with its content, by file system
_STATE = ("size", "etag", "ETag", "mtime", "LastModified", "md5Hash", "created")


def fetch(url: str, folder: Path) -> Path:
    """Download a file or a folder; later calls download only changes.

    The files of an earlier version are kept until all new files are downloaded. After an
    interruption, complete files are kept for the next call, and partial files are removed.

    Args:
        url: Any URL that fsspec supports: ``s3://``, ``gs://``, ``https://`` and
            others. A web address is a single file. Credentials must not be part of the
            URL; the client of the file system reads them from its own configuration.
        folder: Folder for the files.

    Returns:
        The file or the folder on the local disk. If the URL is unreachable, the last
        complete download, with a warning.

    Raises:
        InputError: The URL does not exist, it is unreachable and was not downloaded
            before, its client is not installed, or the download exceeds the ``limits``.
    """
    shown = redact(url)
    if _has_credentials(url):
        raise InputError(
            f"source: {shown}: the address contains a password or token, which would appear in "
            "logs; put it where the client reads it, such as ~/.netrc or the environment"
        )
    copy = _Copy(folder / digest(url)[:16])
    meter = Meter(min(limits.MAX_BYTES, _free_space(folder)))
    try:
        return run_limited(lambda: _update(copy, url, meter), limits.MAX_SECONDS)
    except BaseException as error:
        is_over = meter.is_exceeded or isinstance(error, DownloadLimitError)
        copy.tidy(discard=is_over)
        if isinstance(error, InputError) or not isinstance(error, Exception):
            raise
        reason = mask_address(str(error).replace(url, shown))
        if is_over:
            raise InputError(f"source: {shown} {reason}; {limits.REMEDY}") from error
        if isinstance(error, ImportError):
            raise InputError(
                f"source: {shown} needs a client that is not installed: {reason}"
            ) from error
        # each file system raises its own exceptions
        reason = f"{type(error).__name__}: {reason}".rstrip(": ")
        if copy.is_complete():
            logger.warning(
                "%s is unreachable (%s): using the previous download", shown, reason
            )
            return copy.path()
        raise InputError(
            f"source: {shown} cannot be downloaded ({reason}); check the address, "
            "the network, the credentials and the free disk space"
        ) from error


def redact(url: str) -> str:
    """A URL without user, password and query, for logs and reports."""
    parts = []
    for part in url.split("::"):  # chained file systems of fsspec
        scheme, separator, rest = part.partition("://")
        authority, slash, path = rest.partition("/")
        parts.append(f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}")
    return re.split(r"[?#]", without_credentials("::".join(parts)))[0]


def _has_credentials(url: str) -> bool:
    """True for a password in a URL, or a user or token in a web address.

    Other addresses may contain a user: ``sftp://user@host``.
    """
    for part in url.split("::"):
        scheme, _, rest = part.partition("://")
        plain = without_credentials(part)
        removed = rest[: len(part) - len(plain)] or rest.partition("/")[0]
        user, at, _ = removed.rpartition("@")
        if at and (":" in user or scheme.lower() in _WEB):
            return True
    return False


def _free_space(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free


class _Copy:
    """The local copy: files, an index of their remote states, and incoming files.

    Args:
        root: Folder of the copy.
    """

    def __init__(self, root: Path) -> None:
        self.files = root / "files"
        self.incoming = root / "incoming"
        self._root = root
        self._previous = root / "previous"
        self._index = root / "index.json"
        self._arrived = root / "incoming.json"

    def read(self) -> dict[str, Any]:
        """Index of the incoming files."""
        try:
            return json.loads(self._index.read_text("utf-8"))
        except (OSError, ValueError):
            return {"complete": False, "single": False, "states": {}}

    def is_complete(self) -> bool:
        """True if all files of a version were downloaded."""
        return self.read()["complete"] and self.files.is_dir()

    def path(self) -> Path:
        """The folder, or the file if it is a single one."""
        index = self.read()
        return (
            self.files / next(iter(index["states"])) if index["single"] else self.files
        )

    def find_unchanged(self, states: Mapping[str, str]) -> set[str]:
        """Names of the files that need no download."""
        if self._previous.exists() and not self.files.exists():
            # A process was killed while it replaced the files.
            self._previous.replace(self.files)
        known = self.read()["states"]
        return _present(self.files, known, states)

    def find_arrived(self, states: Mapping[str, str]) -> dict[str, str]:
        """States of the complete files that an interrupted download left."""
        return {
            name: states[name]
            for name in _present(self.incoming, self._read_arrived(), states)
        }

    def note(self, arrived: Mapping[str, str]) -> None:
        """Record downloaded files."""
        write_text(self._arrived, json.dumps(dict(arrived)))

    def replace(
        self, unchanged: Set[str], states: Mapping[str, str], *, single: bool
    ) -> None:
        """Replace all files at once by the incoming and the unchanged ones."""
        _remove_others(self.incoming, states.keys() - unchanged)
        for name in unchanged:
            target = self.incoming / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self.files / name, target)
            except OSError:  # the file system has no hard links
                shutil.copy2(self.files / name, target)
        shutil.rmtree(self._previous, ignore_errors=True)
        if self.files.exists():
            self.files.replace(self._previous)
        self.incoming.replace(self.files)
        index = {"complete": True, "single": single, "states": dict(states)}
        write_text(self._index, json.dumps(index))
        self.tidy(discard=True)

    def tidy(self, *, discard: bool) -> None:
        """Remove partial files.

        Args:
            discard: Whether to remove complete incoming files too.
        """
        arrived = {} if discard else self._read_arrived()
        _remove_others(self.incoming, arrived.keys())
        if not arrived:
            shutil.rmtree(self.incoming, ignore_errors=True)
            self._arrived.unlink(missing_ok=True)
        if self.files.exists():
            shutil.rmtree(self._previous, ignore_errors=True)
        with suppress(OSError):  # not empty
            self._root.rmdir()

    def _read_arrived(self) -> dict[str, str]:
        try:
            return json.loads(self._arrived.read_text("utf-8"))
        except (OSError, ValueError):
            return {}


def _present(
    folder: Path, known: Mapping[str, str], states: Mapping[str, str]
) -> set[str]:
    return {
        name
        for name, state in states.items()
        if known.get(name) == state and (folder / name).is_file()
    }


def _remove_others(folder: Path, names: Set[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            path.unlink()


def _update(copy: _Copy, url: str, meter: Meter) -> Path:
    system, remote = _connect(url)
    single = url.startswith(_WEB) or system.isfile(remote)
    found = _list_file(system, remote) if single else _list_folder(system, remote)
    if not found:
        raise InputError(f"source: nothing found at {redact(url)}; check the address")
    states = {
        name: digest(*(str(info.get(k)) for k in _STATE))
        for name, info in found.items()
    }
    unchanged = copy.find_unchanged(states)
    if (
        copy.is_complete()
        and copy.read()["states"] == states
        and unchanged == {*states}
    ):
        return copy.path()
    _check_declared(found, unchanged, meter)
    arrived = copy.find_arrived(states)
    missing = [name for name in states if name not in unchanged | arrived.keys()]
    batches = [missing[i : i + _BATCH] for i in range(0, len(missing), _BATCH)]
    get = functools.partial(system.get, callback=_Batch(meter))
    copy.incoming.mkdir(parents=True, exist_ok=True)
    for batch in progress(
        batches, f"downloading {redact(url)}", len(missing), "files", len
    ):
        _fetch_batch(
            get,
            [found[name]["name"] for name in batch],
            [copy.incoming / name for name in batch],
        )
        arrived |= {name: states[name] for name in batch}
        copy.note(arrived)
    copy.replace(unchanged, states, single=single)
    return copy.path()


def _check_declared(
    found: Mapping[str, Mapping[str, Any]], unchanged: Set[str], meter: Meter
) -> None:
    if len(found) > limits.MAX_FILES:
        raise DownloadLimitError(f"contains more than {limits.MAX_FILES:,} files")
    sizes = (info.get("size") or 0 for n, info in found.items() if n not in unchanged)
    meter.require(sum(sizes))


class _Batch(Callback):
    """Counts the bytes of each file of a batch."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def branched(self, path_1: Any, path_2: Any, **kwargs: Any) -> Callback:
        return _File(self._meter)


class _File(Callback):
    """Counts the bytes of a file; raises an error to stop the download."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def set_size(self, size: int | None) -> None:
        super().set_size(size)
        self._meter.require(size or 0)

    def relative_update(self, inc: int = 1) -> None:
        super().relative_update(inc)
        self._meter.add(inc)

    def absolute_update(self, value: int) -> None:
        self._meter.add(value - self.value)
        super().absolute_update(value)


def _connect(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {}
    if url.startswith(_WEB):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(
            total=limits.MAX_SECONDS,
            sock_connect=_SECONDS_TO_CONNECT,
            sock_read=_SECONDS_OF_SILENCE,
        )
        options = {"client_kwargs": {"timeout": timeout}}
    return url_to_fs(url, use_listings_cache=False, **options)


def _list_file(system: Any, remote: str) -> dict[str, dict[str, Any]]:
    name = PurePosixPath(urlsplit(remote).path).name
    name = "file" if name in {"", ".."} else name
    return {name: system.info(remote) | {"name": remote}}


def _list_folder(system: Any, remote: str) -> dict[str, dict[str, Any]]:
    """The files below a folder, by relative path."""
    root = remote.rstrip("/")
    found = system.find(root, detail=True)
    special = {path for path, info in found.items() if not _is_file(system, info)}
    if special:
        logger.warning(
            "%s: ignoring %s, not regular files: %s%s",
            mask_address(root),
            wording.count(len(special), "entry", "entries"),
            ", ".join(sorted(special)[:5]),
            " and others" if len(special) > 5 else "",
        )
    listed = {
        path.removeprefix(root).lstrip("/"): info
        for path, info in found.items()
        if path not in special
    }
    for name in listed:
        if ".." in PurePosixPath(name).parts:
            raise InputError(
                f"source: {root} contains a file named {name!r}; rename it"
            )
    return dict(sorted(listed.items()))


def _is_file(system: Any, info: Mapping[str, Any]) -> bool:
    """True for a file, and for a link unless it is known to lead to something else."""
    if info.get("islink"):
        return system.isfile(info["name"])
    return info.get("type", "file") in {"file", "link"}


def _fetch_batch(
    get: Callable[..., object], remote: list[str], local: list[Path]
) -> None:
    for path in local:
        path.parent.mkdir(parents=True, exist_ok=True)
    get(remote, [str(path) for path in local])
