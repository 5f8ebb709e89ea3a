"""Mask credentials in addresses for messages, logs and reports."""

import logging
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
"""Placeholder for a hidden part of an address."""

_STRUCTURED = {"uvicorn.access"}
"""Loggers whose formatters need the arguments of a record."""

_SCHEME = r"\b[A-Za-z][A-Za-z0-9+.-]*:/+"

# SQLAlchemy allows slashes in a password; in a web address, host:port/path has none
_WEB_WITH_PORT = r"\bhttps?:/+(?=[^\s/@:]*:\d+/)"
_USER_INFO = re.compile(
    rf"{_WEB_WITH_PORT}|({_SCHEME})(?:[^\s/:@]*:(?:(?!://)[^\s@])*@)?(?:[^\s/?#]*@)?"
)
# Up to the next blank or quote, because signatures contain most other characters.
_QUERY = re.compile(rf"({_SCHEME}[^\s?#\"<>]*)\?[^\s\"<>]*")
# Some clients report an address without its host: "Max retries exceeded with url: /x?sig=1"
_QUERY_OF_PATH = re.compile(r"((?<![\w/:])/[^\s?\"<>]*)\?[^\s\"<>=]*=[^\s\"<>]*")
_FRAGMENT = re.compile(rf"({_SCHEME}[^\s?#\"<>]*)#[^\s\"<>/]*=[^\s\"<>]*")


def mask_address(text: str) -> str:
    """Hide user, password, query and token of every address in a text.

    Args:
        text: An address, or any text that may contain some.

    >>> mask_address("postgresql://user:password@host/db is not available")
    'postgresql://host/db is not available'
    >>> mask_address("https://host:8080/x.zip?X-Amz-Signature=abc 404")
    'https://host:8080/x.zip?*** 404'
    """
    text = _QUERY.sub(rf"\1?{HIDDEN}", without_credentials(text))
    text = _QUERY_OF_PATH.sub(rf"\1?{HIDDEN}", text)
    return _FRAGMENT.sub(rf"\1#{HIDDEN}", text)


def mask_values(value: Any) -> Any:
    """Mask all addresses in nested mappings and lists, as `mask_address` does."""
    if isinstance(value, Mapping):
        return {name: mask_values(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(part) for part in value]
    return mask_address(value) if isinstance(value, str) else value


def mask_log_records() -> None:
    """Mask the addresses in all log records of this process, including tracebacks.

    Installs a record factory, because Kedro replaces handlers, formatters and filters.
    """
    make = logging.getLogRecordFactory()
    if not hasattr(make, "masks_addresses"):

        def make_masked(*args: Any, **options: Any) -> logging.LogRecord:
            return _masked(make(*args, **options))

        make_masked.masks_addresses = True  # type: ignore[attr-defined]
        logging.setLogRecordFactory(make_masked)


def _masked(record: logging.LogRecord) -> logging.LogRecord:
    text = record.getMessage() if record.args else str(record.msg)
    shown = mask_address(text)
    if shown != text and record.name not in _STRUCTURED:
        record.msg, record.args = shown, None
    if record.exc_info and record.exc_info[0] is not None:
        trace = logging.Formatter().formatException(record.exc_info)
        record.exc_text = mask_address(trace)
    return record


def without_credentials(address: str) -> str:
    """The address without user and password; it can still be opened or linked."""
    return _USER_INFO.sub(lambda match: match[1] or match[0], address)
