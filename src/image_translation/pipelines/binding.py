"""Partial functions that keep the name of the function."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any


def bind(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """``functools.partial`` with the name and docstring of the function."""
    return update_wrapper(partial(function, *args, **kwargs), function)
