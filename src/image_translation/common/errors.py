"""Errors shown to users, and redaction of credentials."""

import re
from collections.abc import Iterator


class InputError(ValueError):
    """Invalid input from the user.

    The message names the file or the parameter and the remedy; the command line
    shows it without a traceback.
    """


class FatalFindingsError(InputError):
    """The audit reported a finding that the parameters declare fatal."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an error and its chain of causes."""
    while error is not None:
        yield error
        error = error.__cause__


def without_credentials(text: str) -> str:
    """Remove user names and passwords from all URLs in a text."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)
