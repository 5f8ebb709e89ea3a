"""The configured store of runs: where it is, and whether it answers."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_translation.errors import InputError

SQLITE = "sqlite:///"
REACHABLE_WITHIN = 5.0  # seconds


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
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACHABLE_WITHIN)
    except urllib.error.HTTPError:
        return  # it answers; who may do what is found out when logging
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"The MLflow server {_without_credentials(uri)} cannot be reached: {reason}."
            " Start it, or set server.mlflow_tracking_uri in conf/local/mlflow.yml"
        ) from error


def _without_credentials(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
