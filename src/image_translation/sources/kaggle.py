"""Kaggle's data sets and competitions, through kagglehub and its cache."""

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from image_translation.common.errors import InputError, causes
from image_translation.common.secrets import mask_address
from image_translation.sources import limits
from image_translation.sources.limits import DownloadLimitError, Meter, run_limited

logger = logging.getLogger(__name__)

DATASET, COMPETITION = "kaggle:", "kaggle-competition:"

_CREDENTIALS = (
    "create a token on kaggle.com (Settings, API) and save it as "
    "~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and KAGGLE_KEY"
)


def download(source: str) -> Path:
    """Download a data set or the data of a competition, unless it is in the cache.

    A failed download leaves no partial files, and keeps the earlier data of a competition.

    Args:
        source: ``kaggle:owner/dataset``, ``kaggle:owner/dataset/versions/N``, which
            needs no network after the download, or ``kaggle-competition:name``.

    Returns:
        The folder in kagglehub's cache.

    Raises:
        InputError: The name is invalid, the data does not exist, credentials are
            missing or wrong, terms were not accepted, the network is unavailable, the
            disk is full, or the download exceeds the ``limits``.
    """
    import kagglehub

    is_competition = source.startswith(COMPETITION)
    handle = source.removeprefix(COMPETITION if is_competition else DATASET)
    _check(source, handle, is_competition)
    fetch = (
        kagglehub.competition_download if is_competition else kagglehub.dataset_download
    )
    cached = _Cached(handle, is_competition)
    try:
        return cached.fill(lambda: Path(fetch(handle)).absolute())
    except DownloadLimitError as error:
        raise InputError(f"source: {source} {error}; {limits.REMEDY}") from error
    except Exception as error:  # kagglehub passes on exceptions of its dependencies
        reason = mask_address(_explain(error, source))
        raise InputError(f"source: {source}: {reason}") from error


class _Cached:
    """The files of a handle in kagglehub's cache.

    kagglehub does not limit downloads. After a failure it keeps partial files, and it
    deletes the data of a competition before it downloads a newer version.

    Args:
        handle: A valid handle of kagglehub.
        is_competition: Whether the handle names a competition.
    """

    def __init__(self, handle: str, is_competition: bool) -> None:
        from kagglehub.config import get_cache_folder

        kind = "competitions" if is_competition else "datasets"
        self._cache = Path(get_cache_folder())
        self._folder = self._cache.joinpath(kind, *handle.split("/")[:2])
        suffixes = ("", ".archive", ".complete") if is_competition else ("",)
        self._roots = [self._folder.with_name(self._folder.name + s) for s in suffixes]
        self._backup = self._folder.with_name(f".{self._folder.name}.previous")
        self._is_competition = is_competition

    def fill(self, fetch: Callable[[], Path]) -> Path:
        """Call kagglehub within the limits; after a failure, restore the earlier files.

        Raises:
            DownloadLimitError: The download exceeds a limit.
        """
        if self._backup.exists():
            self._restore()  # a process was killed during the download
        before = set(self._files())
        if before and self._is_competition:
            self._back_up()
        parent = next(p for p in (self._folder, *self._folder.parents) if p.exists())
        limit = min(limits.MAX_BYTES, shutil.disk_usage(parent).free)

        def watch() -> None:
            new = (_size(path) for path in self._files() if path not in before)
            Meter(limit).require(sum(new))

        try:
            found = run_limited(fetch, limits.MAX_SECONDS, watch)
            if self._backup.exists() and not found.exists():
                # kagglehub deleted it and then lost the connection
                self._restore()
        except BaseException:
            for path in set(self._files()) - before:
                path.unlink(missing_ok=True)
            if self._backup.exists():
                self._restore()
            self._remove_empty_folders()
            raise
        shutil.rmtree(self._backup, ignore_errors=True)
        return found

    def _files(self) -> Iterator[Path]:
        for root in self._roots:
            if root.is_file():
                yield root
            for folder, _, files in os.walk(root):  # ignores deleted files
                yield from (Path(folder, file) for file in files)

    def _back_up(self) -> None:
        """Link the files in another folder, which needs no disk space."""
        new = self._backup.with_name(f"{self._backup.name}.tmp")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for root in self._roots:
            if root.is_file():
                _link(root, new / root.name)
            elif root.is_dir():
                shutil.copytree(root, new / root.name, copy_function=_link)
        new.replace(self._backup)

    def _restore(self) -> None:
        for root in self._roots:
            if root.is_dir():
                shutil.rmtree(root)
            root.unlink(missing_ok=True)
        for kept in self._backup.iterdir():
            kept.replace(self._folder.with_name(kept.name))
        self._backup.rmdir()

    def _remove_empty_folders(self) -> None:
        below = (path for root in self._roots for path in root.rglob("*"))
        parents = [p for p in self._folder.parents if p.is_relative_to(self._cache)]
        for path in [*sorted(below, reverse=True), self._folder, *parents]:
            with suppress(OSError):  # a file, or not empty
                path.rmdir()


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links
        shutil.copy2(source, target)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check(source: str, handle: str, is_competition: bool) -> None:
    parts = handle.split("/")
    if is_competition:
        is_good, form = len(parts) == 1, f"{COMPETITION}name"
    else:
        versioned = len(parts) == 4 and parts[2] == "versions" and parts[3].isdecimal()
        is_good = len(parts) == 2 or versioned
        form = f"{DATASET}owner/dataset or {DATASET}owner/dataset/versions/N"
    if not is_good or not all(parts):
        raise InputError(f"source: {source!r} must be written {form}")


def _explain(error: Exception, source: str) -> str:
    """Reason and remedy for an exception of kagglehub."""
    import requests
    from kagglehub.exceptions import (
        CredentialError,
        DataCorruptionError,
        UnauthenticatedError,
    )

    chain = list(causes(error, with_context=True))
    statuses = [_status(e) for e in chain if isinstance(e, requests.HTTPError)]
    for status in filter(None, statuses):
        return _explain_status(status, source)
    for cause in chain:
        if isinstance(cause, CredentialError | UnauthenticatedError):
            return f"Kaggle requires credentials; {_CREDENTIALS}"
        if isinstance(cause, requests.ConnectionError | requests.Timeout):
            return f"Kaggle cannot be reached ({cause}). {_advise_offline(source)}"
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return (
                "the disk is full; free some space, or set KAGGLEHUB_CACHE to a folder on "
                "another disk"
            )
        if isinstance(cause, DataCorruptionError):
            return "the download is damaged; run again"
    return f"{error}"


def _explain_status(status: int, source: str) -> str:
    page = _page(source)
    if status == 404:
        return f"Kaggle has no such data, or no such version; see {page}"
    if status in {401, 403}:
        if not _has_credentials():
            return f"Kaggle refuses access without credentials; {_CREDENTIALS}"
        if source.startswith(COMPETITION):
            return f"accept the competition's rules first: {page}/rules"
        return (
            "Kaggle refuses access: the data is private or does not exist, its terms were "
            f"not accepted, or the token is wrong; see {page}"
        )
    if status == 429:
        return "Kaggle received too many requests; wait, then run again"
    return f"Kaggle answers with error {status}; run again later"


def _page(source: str) -> str:
    if source.startswith(COMPETITION):
        return f"https://www.kaggle.com/competitions/{source.removeprefix(COMPETITION)}"
    return f"https://www.kaggle.com/datasets/{source.removeprefix(DATASET)}"


def _advise_offline(source: str) -> str:
    """Advice for a run without a network."""
    from kagglehub.config import get_cache_folder

    handle = source.removeprefix(DATASET).partition("/versions/")[0]
    cached = Path(get_cache_folder(), "datasets", handle, "versions")
    versions = [int(path.name) for path in cached.glob("*") if path.name.isdecimal()]
    if not versions or "/versions/" in source:
        return "Check the network"
    pinned = f"{DATASET}{handle}/versions/{max(versions)}"
    return f"Without a network, pin the downloaded version: source={pinned}"


def _has_credentials() -> bool:
    from kagglehub.config import get_kaggle_credentials

    try:
        return get_kaggle_credentials() is not None
    except ValueError:
        return False


def _status(error: object) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
