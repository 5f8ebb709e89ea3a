"""The part of an event log that MLflow has: ``mlflow.json`` beside the log."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from image_translation.common.files import write_text
from image_translation.runs.events import EventLog

SENT, LOCK = "mlflow.json", "mlflow.lock"


@dataclass(frozen=True)
class Sent:
    """The state of a log in MLflow.

    Attributes:
        run_id: The run, once it exists.
        model_id: The logged model of the run, once it exists.
        events: Number of events that the run has.
    """

    run_id: str | None = None
    model_id: str | None = None
    events: int = 0

    def write(self, folder: Path) -> None:
        write_text(folder / SENT, json.dumps(asdict(self)) + "\n")


def read_sent(folder: Path) -> Sent:
    """The state of the log in a folder; empty where nothing was sent."""
    try:
        content = json.loads((folder / SENT).read_text("utf-8"))
        return Sent(
            content["run_id"], content.get("model_id"), content.get("events", 0)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Sent()


def reset_sent(folder: Path) -> None:
    """Count no event as sent; the run is kept, so that the sender can end it."""
    Sent(run_id=read_sent(folder).run_id).write(folder)


def read_run_id(folder: Path) -> str | None:
    """The run in MLflow that belongs to a folder."""
    return read_sent(folder).run_id


def is_pending(folder: Path) -> bool:
    """Whether MLflow lacks events of the log in a folder."""
    return len(EventLog(folder).read()) > read_sent(folder).events
