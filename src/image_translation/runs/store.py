"""The configured MLflow store: its address, and whether it answers."""

import functools
import logging
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from image_translation.common.errors import InputError, causes
from image_translation.common.files import atomic_write, lock
from image_translation.common.secrets import mask_address, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

Method = TypeVar("Method", bound=Callable[..., None])
Function = TypeVar("Function", bound=Callable[..., Any])

SQLITE = "sqlite:///"
REACHABLE_WITHIN = 5.0  # seconds
TEMPORARY = 401, 403, 408, 429  # expired tokens and rate limits
REMEDY = (
    "Look at server.mlflow_tracking_uri in conf/local/mlflow.yml, and at"
    " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)
DEFAULT_LOCATION = "/artifacts/0"
"""Where the default experiment has its artifacts, relative to the database's folder."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow 3 with absolute locations of artifacts."""
QUICKLY_CHECKED = 64 * 2**20
"""Maximum size in bytes of a database whose structure is checked at every start."""
SHORT_TIMEOUTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


def anchor_store(config: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The configuration of kedro-mlflow with local paths under the project.

    Paths would otherwise be relative to the working directory.

    Args:
        config: The content of ``mlflow.yml``.
        project: Root of the project.
    """
    server = dict(config.get("server") or {})
    tracking = dict(config.get("tracking") or {})
    experiment = dict(tracking.get("experiment") or {})
    creation = dict(experiment.get("create_experiment_kwargs") or {})
    uri = server.get("mlflow_tracking_uri") or ""
    if uri.startswith(SQLITE):
        database = project / uri.removeprefix(SQLITE)
        database.parent.mkdir(parents=True, exist_ok=True)
        server["mlflow_tracking_uri"] = f"{SQLITE}{database}"
        location = creation.get("artifact_location")
        if location and "://" not in location:
            creation["artifact_location"] = (project / location).as_uri()
    else:
        # The server decides where it keeps artifacts.
        creation.pop("artifact_location", None)
    experiment["create_experiment_kwargs"] = creation
    tracking["experiment"] = experiment
    return {**config, "server": server, "tracking": tracking}


def check_store(uri: str) -> None:
    """Check that a tracking server answers, or that a database file is usable.

    A missing SQLite database is created; the locations in one that was moved are updated.

    Args:
        uri: The tracking URI.

    Raises:
        InputError: The server did not answer within five seconds, or the file is
            damaged.
    """
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE))
        _create_database(database)
        _check_database(database)
        _relocate_artifacts(database)
    if not uri.startswith(("http://", "https://")):
        return
    address = without_credentials(uri)  # urllib would take them for a part of the host
    try:
        urllib.request.urlopen(
            f"{address.rstrip('/')}/health", timeout=REACHABLE_WITHIN
        )
    except urllib.error.HTTPError:
        return  # it answers; permissions show when logging
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"The MLflow server {mask_address(address)} cannot be reached: {reason}."
            " Start it, or set server.mlflow_tracking_uri in conf/local/mlflow.yml"
        ) from error


def _create_database(path: Path) -> None:
    """Create a database and rename it, so that other processes see only a complete one."""
    if path.exists():
        return
    with lock(path.with_name(f".{path.name}.lock"), wait=True):
        if path.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        with atomic_write(path) as temporary:
            for leftover in temporary.parent.glob(f"{temporary.name}*"):
                leftover.unlink()
            artifacts = (path.absolute().parent / "artifacts").as_uri()
            SqlAlchemyStore(f"{SQLITE}{temporary}", artifacts).engine.dispose()


def _check_database(path: Path) -> None:
    """Check that a file is a complete SQLite database with MLflow's tables."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.execute("SELECT COUNT(*) FROM experiments").fetchone()
            pages, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size")
            )
            is_whole = path.stat().st_size >= pages * size
            if is_whole and path.stat().st_size <= QUICKLY_CHECKED:
                answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
                is_whole = answer == "ok"
    except sqlite3.OperationalError as error:
        if "locked" in str(error):  # another process is writing to it
            return
        is_whole = False
    except sqlite3.DatabaseError:
        is_whole = False
    if not is_whole:
        raise InputError(
            f"{path} is damaged: it is not a complete MLflow database. Restore it from a "
            "backup, or remove it: the next run creates a new one and uploads the "
            "results of all models on disk again"
        )


def _relocate_artifacts(path: Path) -> None:
    """Let the locations of artifacts follow a database that was moved or copied.

    MLflow stores absolute locations; that of the default experiment shows where the
    database was.
    """
    here = path.absolute().parent.as_uri()
    with closing(sqlite3.connect(path)) as database:
        (location,) = database.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
        ).fetchone() or ("",)
        before = location.removesuffix(DEFAULT_LOCATION)
        if before in (here, location):
            return
        with database:  # one transaction
            for table, column in LOCATIONS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608
                    f" WHERE substr({column}, 1, ?) = ?",
                    (here, len(before) + 1, len(before) + 1, f"{before}/"),
                )
    logger.info("%s was moved here from %s; its locations are updated", path, before)


def local_folder(location: str) -> Path | None:
    """The folder on this machine that a location of artifacts names, or None."""
    url = urlsplit(location)
    return Path(url2pathname(url.path)) if url.scheme == "file" else None


def describe_mlflow_error(error: BaseException) -> str | None:
    """The message of an error that MLflow caused, or None for other errors."""
    from mlflow.exceptions import MlflowException

    for cause in causes(error):
        if isinstance(cause, MlflowException):
            return f"MLflow: {mask_address(str(cause).strip())}"
    return None


def require_store(function: Function) -> Function:
    """Raise `InputError` when MLflow rejects a call that a run needs to begin."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return function(*args, **kwargs)
        except MlflowException as error:
            raise InputError(f"{describe_mlflow_error(error)}\n{REMEDY}") from error

    return wrapper  # type: ignore[return-value]


def client() -> "MlflowClient":
    """A client of the configured store."""
    from mlflow import MlflowClient

    return MlflowClient()


def find_run(run_id: str) -> Any:
    """The run in MLflow, or None where the store does not have it (any more)."""
    from mlflow.exceptions import MlflowException

    try:
        run = client().get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


class Connection:
    """Whether the store still answers: after a failure it is not called again.

    With a lost server every call would wait for its timeout and its retries.
    """

    def __init__(self) -> None:
        self.failure: str | None = None
        self._timeouts: dict[str, str | None] = {}

    @property
    def is_lost(self) -> bool:
        """Whether the store failed since `renew`."""
        return self.failure is not None

    def renew(self) -> None:
        """Call the store again."""
        self.failure = None
        for name, value in self._timeouts.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._timeouts = {}

    def note(self, error: Exception) -> None:
        """Classify an error of the store as outage or rejection."""
        if self.is_lost:
            return
        reason = mask_address(str(error).strip() or repr(error))
        if _is_rejection(error):
            logger.warning("MLflow rejected a part of the results (%s)", reason)
            return
        self.failure = reason.splitlines()[0]
        self.shorten_timeouts()
        logger.error(
            "MLflow cannot be reached any more (%s). Continuing; unsent results are kept"
            " and uploaded later",
            self.failure,
        )

    def shorten_timeouts(self) -> None:
        """Shorten the timeouts of the remaining calls, until `renew`."""
        for name, value in SHORT_TIMEOUTS.items():
            self._timeouts.setdefault(name, os.environ.get(name))
            os.environ[name] = value


def _is_rejection(error: Exception) -> bool:
    """Whether the content was rejected, so that a retry would fail the same way."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:
        status = getattr(getattr(error, "response", None), "status_code", 0)
    is_rejected = 0 < status < 500 and status not in TEMPORARY
    return is_rejected or isinstance(error, FileNotFoundError)


connection = Connection()
"""The connection of this process to the configured store."""


def tolerate_store(method: Method) -> Method:
    """Make a method survive a failing store, and skip it after a failure."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        from mlflow.exceptions import MlflowException

        if connection.is_lost:
            return
        try:
            method(*args, **kwargs)
        except (MlflowException, OSError) as error:
            connection.note(error)

    return wrapper  # type: ignore[return-value]
