"""The exceptions that are meant for the user's eyes."""

from collections.abc import Iterator


class InputError(ValueError):
    """Input of the user's that cannot be worked with.

    The message names the file or the parameter and the remedy; the command line
    shows it without a traceback.

    Attributes:
        exit_code: What a run ends with when nobody watches.
    """

    exit_code = 3


class FatalFindingsError(InputError):
    """The audit found in the data what the user calls fatal."""

    exit_code = 4


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__
