"""Select trained models by their validation scores."""

import logging
from collections.abc import Mapping

import pandas as pd

from image_translation.common.errors import InputError
from image_translation.common.names import BASELINES, ENSEMBLE
from image_translation.pipeline_registry import OPTIONAL_MODELS
from image_translation.statistics.promotion_rule import (
    Candidate,
    choose_best,
    late_mean,
)
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.settings import ALL, CHAMPION

logger = logging.getLogger(__name__)


def best_on_validation(
    trained: Mapping[str, TrainedModel], metric: str
) -> Candidate | None:
    """The best model on validation, and its best replicate.

    Promotion registers it as the challenger. Without a champion, the translation, the
    export and the app use it.

    Args:
        trained: The models on disk, by name; baselines and failed models are ignored.
        metric: ``promotion.metric``.

    Returns:
        The replicate of `choose_best`; None if no model is trained.
    """
    learnt = {n: m for n, m in trained.items() if _is_learnt(m)}
    return choose_best(_validation_values(learnt, metric), metric)


def baseline_ahead(
    trained: Mapping[str, TrainedModel], chosen: Candidate, metric: str
) -> str | None:
    """The baseline that is at least as good as a trained model on validation.

    Args:
        trained: The models on disk, by name.
        chosen: The trained model; its replicates count by their mean.
        metric: ``promotion.metric``.

    Returns:
        The best of these baselines; None if the model is better than all.
    """
    baselines = {name: trained[name] for name in BASELINES if name in trained}
    compared = {**baselines, chosen.model: trained[chosen.model]}
    best = choose_best(_validation_values(compared, metric), metric)
    return best.model if best and best.model in BASELINES else None


def _is_learnt(model: TrainedModel) -> bool:
    return model.status == "trained" and model.is_trainable


def _validation_values(models: Mapping[str, TrainedModel], metric: str) -> pd.DataFrame:
    """The argument of `choose_best`: one row per replicate."""
    rows = [
        (name, replicate.replicate, late_mean(history[f"validation/{metric}"]))
        for name, model in models.items()
        for replicate in model.replicates
        for history in [replicate.history().sort_values("epoch")]
    ]
    return pd.DataFrame(rows, columns=["model", "replicate", "value"])


def choose_trained(
    task: str,
    wanted: str,
    trained: Mapping[str, TrainedModel],
    metric: str,
    parameter: str = "translate.model",
) -> dict[str, TrainedReplicate]:
    """Find the requested models, each with its best replicate on validation.

    Args:
        task: Name of the task, for messages.
        wanted: A model's name; ``all``: all trained models except baselines;
            ``champion``: of these, the best on validation.
        trained: The models on disk, by name.
        metric: ``promotion.metric``.
        parameter: Name of the parameter, for messages.

    Raises:
        InputError: The model does not exist, or no model is trained.
    """
    found = {
        name: _best_replicate(name, model, metric)
        for name, model in trained.items()
        if model.replicates
    }
    if wanted not in (ALL, CHAMPION):
        if wanted not in found:
            raise InputError(
                f"{parameter}: there is no trained {wanted} for {task}, only "
                f"{', '.join(found) or 'none at all'}; pass one of these, or train it: "
                f"kedro run --pipeline={task} {_training_options(task, wanted)}"
            )
        return {wanted: found[wanted]}
    learnt = {name: best for name, best in found.items() if trained[name].is_trainable}
    if not learnt:
        raise InputError(
            f"{parameter}: no model is trained for {task}; train them first: "
            f"kedro run --pipeline={task}"
        )
    if wanted == ALL:
        return learnt
    best = best_on_validation(trained, metric)
    first = best.model if best else next(iter(learnt))
    logger.info("%s has no champion yet: using %s, the best on validation", task, first)
    if best and (baseline := baseline_ahead(trained, best, metric)):
        logger.warning(
            "Nothing is worth using yet: on validation, %s is as good as or better than "
            "%s. Train longer, or on more pairs",
            baseline,
            first,
        )
    return {first: learnt[first]}


def _best_replicate(name: str, model: TrainedModel, metric: str) -> TrainedReplicate:
    best = best_on_validation({name: model}, metric)
    numbers = [replicate.replicate for replicate in model.replicates]
    return model.replicates[numbers.index(best.replicate) if best else 0]


def _training_options(task: str, model: str) -> str:
    """Options of ``kedro run`` that train a model."""
    member = model.removesuffix(ENSEMBLE)
    if model in OPTIONAL_MODELS:
        return f"--params {task}.{model}.enabled=true"
    if member == model:
        return f"--namespaces={task}.{model}"
    return f"--params models.{member}.ensemble=true,training.replicates=3"
