"""Kaggle's data sets and competitions, through kagglehub and its cache."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

from image_translation.errors import InputError

logger = logging.getLogger(__name__)

DATASET, COMPETITION = "kaggle:", "kaggle-competition:"

_CREDENTIALS = (
    "create a token on kaggle.com (Settings, API) and put it into "
    "~/.kaggle/kaggle.json, or its parts into KAGGLE_USERNAME and KAGGLE_KEY"
)


def download(source: str) -> Path:
    """Download a data set or the data of a competition; nothing that is there already.

    Args:
        source: ``kaggle:owner/dataset``, ``kaggle:owner/dataset/versions/N``, which
            works without a network once it was downloaded, or
            ``kaggle-competition:name``.

    Returns:
        The folder in kagglehub's cache.

    Raises:
        InputError: The name is none, there is no such data, credentials are missing or
            wrong, terms were not accepted, there is no network or no room on the disk.
    """
    import kagglehub

    is_competition = source.startswith(COMPETITION)
    handle = source.removeprefix(COMPETITION if is_competition else DATASET)
    _check(source, handle, is_competition)
    fetch = (
        kagglehub.competition_download if is_competition else kagglehub.dataset_download
    )
    try:
        return Path(fetch(handle)).absolute()
    except Exception as error:  # kagglehub hands on what its parts raise
        raise InputError(f"source: {source}: {_explain(error, source)}") from error


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
    """What went wrong, and what to do about it."""
    import requests
    from kagglehub.exceptions import (
        CredentialError,
        DataCorruptionError,
        UnauthenticatedError,
    )

    chain = list(_causes(error))
    statuses = [_status(e) for e in chain if isinstance(e, requests.HTTPError)]
    for status in filter(None, statuses):
        return _explain_status(status, source)
    for cause in chain:
        if isinstance(cause, CredentialError | UnauthenticatedError):
            return f"Kaggle wants to know who you are; {_CREDENTIALS}"
        if isinstance(cause, requests.ConnectionError | requests.Timeout):
            return f"Kaggle cannot be reached ({cause}). {_advise_offline(source)}"
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return (
                "the disk is full; make room, or set KAGGLEHUB_CACHE to a folder on "
                "another disk"
            )
        if isinstance(cause, DataCorruptionError):
            return "what was downloaded is damaged; run again"
    return f"{error}"


def _explain_status(status: int, source: str) -> str:
    page = _page(source)
    if status == 404:
        return f"Kaggle has no such data, or no such version; look at {page}"
    if status in {401, 403}:
        if not _has_credentials():
            return f"Kaggle refuses it to someone unknown; {_CREDENTIALS}"
        if source.startswith(COMPETITION):
            return f"accept the competition's rules first: {page}/rules"
        return (
            "Kaggle refuses it: it is private or does not exist, its terms were not "
            f"accepted, or the token is wrong; look at {page}"
        )
    if status == 429:
        return "Kaggle says that there were too many requests; wait, and run again"
    return f"Kaggle answers with error {status}; run again later"


def _page(source: str) -> str:
    if source.startswith(COMPETITION):
        return f"https://www.kaggle.com/competitions/{source.removeprefix(COMPETITION)}"
    return f"https://www.kaggle.com/datasets/{source.removeprefix(DATASET)}"


def _advise_offline(source: str) -> str:
    """How to go on without a network, if there is a way."""
    from kagglehub.config import get_cache_folder

    handle = source.removeprefix(DATASET).partition("/versions/")[0]
    cached = Path(get_cache_folder(), "datasets", handle, "versions")
    versions = [int(path.name) for path in cached.glob("*") if path.name.isdecimal()]
    if not versions or "/versions/" in source:
        return "Check the network"
    pinned = f"{DATASET}{handle}/versions/{max(versions)}"
    return f"Without a network pin the version that is there: source={pinned}"


def _has_credentials() -> bool:
    from kagglehub.config import get_kaggle_credentials

    try:
        return get_kaggle_credentials() is not None
    except ValueError:
        return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: object) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
