"""Addresses with credentials: what messages, logs and reports show of them."""

import re

HIDDEN = "***"
"""Stands for a hidden part of an address."""

_SCHEME = r"\b[A-Za-z][A-Za-z0-9+.-]*:/+"

# SQLAlchemy allows slashes in a password; on the web, host:port/path is no password
_WEB_WITH_PORT = r"\bhttps?:/+(?=[^\s/@:]*:\d+/)"
_USER_INFO = re.compile(
    rf"{_WEB_WITH_PORT}|({_SCHEME})(?:[^\s/:@]*:(?:(?!://)[^\s@])*@)?(?:[^\s/?#]*@)?"
)
# to the next blank or quote: signatures contain most other characters
_QUERY = re.compile(rf"({_SCHEME}[^\s?#\"<>]*)\?[^\s\"<>]*")
# clients name an address without its host: "Max retries exceeded with url: /x?sig=1"
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


def without_credentials(address: str) -> str:
    """An address without user and password, to be opened or linked."""
    return _USER_INFO.sub(lambda match: match[1] or match[0], address)
