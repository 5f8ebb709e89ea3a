"""Results of a study."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from image_translation.common.errors import InputError
from image_translation.training.settings import ModelSettings
from image_translation.tuning.space import Space, change

if TYPE_CHECKING:
    import optuna

    from image_translation.tuning.claims import TrialClaims

logger = logging.getLogger(__name__)

COLUMNS = (
    "model",
    "study",
    "trial",
    "state",
    "metric",
    "score",
    "best_epoch",
    "epochs",
    "seconds",
    "reason",
)
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}

FEWEST_TRIALS = 4
"""Minimum number of scored trials for the importance of parameters."""


@dataclass(frozen=True)
class TunedModel:
    """Result of tuning a model.

    Attributes:
        model: The model's name.
        study: The study's name.
        metric: Validation metric that scored the trials.
        trials: One row per trial: ``COLUMNS``, then the parameters by dotted name.
        importance: By dotted name, the share of the scores' variance; empty if there
            are too few trials.
        best: Number of the best trial; None if no trial was scored.
        score: Its score on the validation pairs.
        best_epoch: The epoch of the score.
        chosen: Its parameters by dotted name.
        settings: All its settings.
    """

    model: str
    study: str
    metric: str
    trials: pd.DataFrame
    importance: Mapping[str, float]
    best: int | None
    score: float
    best_epoch: int
    chosen: Mapping[str, Any]
    settings: ModelSettings


def summarize(
    model: str,
    metric: str,
    settings: ModelSettings,
    space: Space,
    claims: "TrialClaims",
) -> TunedModel:
    """Summarize a study."""
    best = claims.best()
    chosen = dict(best.params) if best else {}
    return TunedModel(
        model=model,
        study=claims.study.study_name,
        metric=metric,
        trials=_table(model, metric, space, claims),
        importance=_importance(claims.study),
        best=best.number if best else None,
        score=(best.value or 0.0) if best else float("nan"),
        best_epoch=best.user_attrs["best_epoch"] if best else 0,
        chosen={name: chosen[name] for name in space if name in chosen},
        settings=change(settings, chosen),
    )


def join_trials(tuned: Sequence[TunedModel]) -> pd.DataFrame:
    """The trials of all models in one table."""
    return pd.concat([each.trials for each in tuned], ignore_index=True)


def _table(
    model: str, metric: str, space: Space, claims: "TrialClaims"
) -> pd.DataFrame:
    rows = [
        {
            "model": model,
            "study": claims.study.study_name,
            "trial": trial.number,
            "state": STATES[trial.state.name],
            "metric": metric,
            "score": trial.value,
            **{
                name: trial.user_attrs.get(name)
                for name in ("best_epoch", "epochs", "seconds", "reason")
            },
            **trial.params,
        }
        for trial in claims.trials()
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *space])


def _importance(study: "optuna.Study") -> dict[str, float]:
    """Shares of the variance of the scores (functional ANOVA, Hutter et al. 2014)."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    scored = [t for t in study.trials if t.state == TrialState.COMPLETE]
    if len(scored) < FEWEST_TRIALS or len({trial.value for trial in scored}) == 1:
        return {}
    shared = set.intersection(*(set(trial.params) for trial in scored))
    varied = [n for n in sorted(shared) if len({t.params[n] for t in scored}) > 1]
    if not varied:
        return {}
    return get_param_importances(
        study, evaluator=FanovaImportanceEvaluator(seed=0), params=varied
    )


def with_best(tuned: Sequence[TunedModel]) -> list[TunedModel]:
    """The models with a scored trial.

    Raises:
        InputError: There is none.
    """
    found = [each for each in tuned if each.best is not None]
    for each in tuned:
        if each not in found:
            logger.error("No trial of %s was scored", each.model)
    if not found:
        first = tuned[0].trials.iloc[0]
        raise InputError(
            f"tuning: no trial was scored; the first one is {first['state']}: "
            f"{first['reason']}"
        )
    return found
