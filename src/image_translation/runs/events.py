"""Event logs: one append-only file of JSON lines for each run.

A run of a pipeline and the training of a replicate have a log each. The summary, the exit
code, kedro-viz's run status and the runs in MLflow are all derived from these logs.
Several processes may append to one log.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from image_translation.runs.exit_codes import describe_failure

logger = logging.getLogger(__name__)

EVENTS = "events.jsonl"

Event = dict[str, Any]
"""At least ``event``, its kind, and ``time``, in seconds since the epoch."""


class EventLog:
    """The events of one run.

    Args:
        folder: The folder of the run; created by the first event.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS

    def append(self, event: str, **values: Any) -> None:
        """Add an event.

        Args:
            event: Its kind.
            **values: JSON values.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, "time": time.time(), **values})
        with self.path.open("a", encoding="utf-8") as file:
            # The line break comes first: a line cut off by a full disk spoils no other.
            file.write("\n" + line)

    def read(self) -> list[Event]:
        """The events in order; invalid lines are skipped."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        events = map(self._parse, filter(None, lines))
        return [event for event in events if event is not None]

    def _parse(self, line: str) -> Event | None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and {"event", "time"} <= event.keys():
            return event
        logger.warning("%s: skipping invalid event %r", self.path, line)
        return None


@contextmanager
def guarded() -> Iterator[None]:
    """Log an error of record keeping; it never stops or masks the run."""
    try:
        yield
    except Exception as error:
        logger.error("Could not record the run: %s", describe_failure(error).error)
