"""Timestamps for tables."""

from datetime import UTC, datetime


def timestamp() -> str:
    """The current time in UTC, in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
