"""The configured store of runs: where it is, and whether it answers."""

import functools
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from image_translation.errors import InputError, causes, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

Method = TypeVar("Method", bound=Callable[..., None])
Function = TypeVar("Function", bound=Callable[..., Any])

SQLITE = "sqlite:///"
REACHABLE_WITHIN = 5.0  # seconds
FOR_NOW = 401, 403, 408, 429  # as once a token has expired, or when asked too often
REMEDY = (
    "Look at server.mlflow_tracking_uri in conf/local/mlflow.yml, and at"
    " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)
IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def anchor_store(config: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The configuration of kedro-mlflow with local paths under the project.

    Paths would otherwise count from the folder where the command was started.

    Args:
        config: What ``mlflow.yml`` says.
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
        # A server keeps artifacts where it was told to.
        creation.pop("artifact_location", None)
    experiment["create_experiment_kwargs"] = creation
    tracking["experiment"] = experiment
    return {**config, "server": server, "tracking": tracking}


def check_store(uri: str) -> None:
    """Ask a tracking server whether it is there.

    Args:
        uri: The tracking URI; only ``http`` and ``https`` are asked.

    Raises:
        InputError: It did not answer within five seconds.
    """
    if not uri.startswith(("http://", "https://")):
        return
    address = without_credentials(uri)  # urllib would take them for a part of the host
    try:
        urllib.request.urlopen(
            f"{address.rstrip('/')}/health", timeout=REACHABLE_WITHIN
        )
    except urllib.error.HTTPError:
        return  # it answers; who may do what is found out when logging
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"The MLflow server {address} cannot be reached: {reason}."
            " Start it, or set server.mlflow_tracking_uri in conf/local/mlflow.yml"
        ) from error


def tell_failure(error: BaseException) -> str | None:
    """What a person is told of an error that MLflow has caused; None if it has not."""
    from mlflow.exceptions import MlflowException

    for cause in causes(error):
        if isinstance(cause, MlflowException):
            return f"MLflow: {without_credentials(str(cause).strip())}"
    return None


def require_store(function: Function) -> Function:
    """Make it an error of the input when MLflow refuses what a run needs to begin."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return function(*args, **kwargs)
        except MlflowException as error:
            raise InputError(f"{tell_failure(error)}\n{REMEDY}") from error

    return wrapper  # type: ignore[return-value]


def client() -> "MlflowClient":
    """A client for the store that was configured."""
    from mlflow import MlflowClient

    return MlflowClient()


class Connection:
    """Whether the store still answers: once it has failed, it is not asked again.

    A server that is gone would cost every call its timeout and its retries.
    """

    def __init__(self) -> None:
        self.failure: str | None = None
        self._patience: dict[str, str | None] = {}

    @property
    def is_lost(self) -> bool:
        """Whether the store has failed since `renew`."""
        return self.failure is not None

    def renew(self) -> None:
        """Trust the store again."""
        self.failure = None
        for name, value in self._patience.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._patience = {}

    def note(self, error: Exception) -> None:
        """Take an error of the store for what it is: its end, or a refusal."""
        reason = without_credentials(str(error).strip() or repr(error))
        if _is_refusal(error):
            logger.warning(
                "MLflow did not take what it was sent (%s); going on", reason
            )
            return
        self.failure = reason.splitlines()[0]
        self._lose_patience()
        logger.error(
            "MLflow cannot be reached any more (%s). Work goes on; what it was not told"
            " is kept and sent later",
            self.failure,
        )

    def _lose_patience(self) -> None:
        """Have what MLflow itself still asks, such as at the end, find out at once."""
        for name, value in IMPATIENT.items():
            self._patience.setdefault(name, os.environ.get(name))
            os.environ[name] = value


def _is_refusal(error: Exception) -> bool:
    """Whether it is about what was sent, and sending it again would end the same way."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:
        status = getattr(getattr(error, "response", None), "status_code", 0)
    is_refused = 0 < status < 500 and status not in FOR_NOW
    return is_refused or isinstance(error, FileNotFoundError)


connection = Connection()
"""To the configured store, of which a process has one."""


def tolerate_store(method: Method) -> Method:
    """Let work go on when the store fails, and do not ask a store that has failed."""

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
