"""Functions with some arguments given, that keep their names in the log."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any


def bind(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """``functools.partial`` with the name and the documentation of the function."""
    return update_wrapper(partial(function, *args, **kwargs), function)
