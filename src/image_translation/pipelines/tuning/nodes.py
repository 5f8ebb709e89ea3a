"""Node of the tuning pipeline."""

from typing import Any

import pandas as pd

from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.models import Workspace
from image_translation.pairing.arrays import PairArrays, check_unchanged
from image_translation.reporting.tuning import tuning_history, tuning_importance
from image_translation.tuning.results import join_trials, with_best
from image_translation.tuning.search import tune
from image_translation.tuning.tuned_parameters import DATA, overlay


def tune_models(
    settings: TaskSettings,
    train: PairArrays,
    validation: PairArrays,
    workspace: Workspace,
) -> tuple[pd.DataFrame, Any, Any, str]:
    """Tune models, one after the other with the same budget.

    Args:
        settings: All parameters of the task.
        train: Training pairs.
        validation: Pairs that score a trial.
        workspace: Folder of the studies, with observers of the trials.

    Returns:
        The trials, figures of their history and of the parameters' importance, and a
        file with the selected parameters.
    """
    observers: Any = workspace.observers  # observers of a tuning, set by the hooks
    tuned = [
        tune(
            settings.name,
            model,
            settings.models[model],
            settings.tuning,
            train,
            validation,
            workspace.folder,
            observers,
        )
        for model in settings.tuning.models
    ]
    check_unchanged(train, validation)
    trials = join_trials(tuned)
    importance = {each.model: each.importance for each in tuned}
    return (
        trials,
        tuning_history(trials),
        tuning_importance(importance),
        overlay(settings.name, settings.model_dump(include=DATA), with_best(tuned)),
    )
