"""Kaggle's data sets and competitions, through kagglehub and its cache."""

import errno
import logging
from pathlib import Path

from image_translation.common.errors import InputError, causes

logger = logging.getLogger(__name__)

DATASET, COMPETITION = "kaggle:", "kaggle-competition:"

_CREDENTIALS = (
    "create a token on kaggle.com (Settings, API) and save it as "
    "~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and KAGGLE_KEY"
)


def download(source: str) -> Path:
    """Download a data set or the data of a competition, unless it is in the cache.

    Args:
        source: ``kaggle:owner/dataset``, ``kaggle:owner/dataset/versions/N``, which
            needs no network after the download, or ``kaggle-competition:name``.

    Returns:
        The folder in kagglehub's cache.

    Raises:
        InputError: The name is invalid, the data does not exist, credentials are
            missing or wrong, terms were not accepted, the network is unavailable or the
            disk is full.
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
    except Exception as error:  # kagglehub passes on exceptions of its dependencies
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
