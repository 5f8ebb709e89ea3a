"""The time, as tables keep it."""

from datetime import UTC, datetime


def timestamp() -> str:
    """Now, in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
