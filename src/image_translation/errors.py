"""What is meant for the user's eyes, and what for nobody's."""

import re
from collections.abc import Iterator


class InputError(ValueError):
    """Input of the user's that cannot be worked with.

    The message names the file or the parameter and the remedy; the command line
    shows it without a traceback.
    """


class FatalFindingsError(InputError):
    """The audit found in the data what the user calls fatal."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def without_credentials(text: str) -> str:
    """A text with what stands for user and password in its addresses left out."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)
