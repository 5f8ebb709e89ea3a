"""Warnings of libraries that this project does not cause and users cannot remove."""

import warnings
from typing import Any

UNWANTED = "Add type hints to the `predict` method"
"""MLflow's advice on a model class of kedro-mlflow; MLflow overrides filters for it."""


def ignore() -> None:
    """Do not show them. Call this before MLflow is imported."""
    show: Any = warnings.showwarning

    def show_wanted(message: Any, *args: Any, **options: Any) -> None:
        if UNWANTED not in str(message):
            show(message, *args, **options)

    warnings.showwarning = show_wanted
