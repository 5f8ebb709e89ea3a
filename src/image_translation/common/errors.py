"""Errors shown to users."""

from collections.abc import Iterator


class InputError(ValueError):
    """Invalid input from the user.

    The message names the file or the parameter and the remedy; the command line
    shows it without a traceback.
    """


class FatalFindingsError(InputError):
    """The audit reported a finding that the parameters declare fatal."""


def causes(
    error: BaseException | None, *, with_context: bool = False
) -> Iterator[BaseException]:
    """Iterate over an error and its chain of causes.

    Args:
        error: The error.
        with_context: True to continue, where an error has no cause, with the error
            during whose handling it was raised.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if with_context else None)


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type and arguments without one."""
    return (str(error).strip() or repr(error)).splitlines()[0]
