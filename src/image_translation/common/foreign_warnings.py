"""Warnings of libraries that Kedro imports before it reads the project's settings."""

import warnings
from typing import Any

UNWANTED = "Add type hints to the `predict` method"
"""MLflow's advice on a model class of kedro-mlflow; MLflow overrides filters for it."""


def ignore() -> None:
    """Do not show them; Kedro calls this first (``kedro.init`` in ``pyproject.toml``)."""
    show: Any = warnings.showwarning

    def show_wanted(message: Any, *args: Any, **options: Any) -> None:
        if UNWANTED not in str(message):
            show(message, *args, **options)

    warnings.showwarning = show_wanted
