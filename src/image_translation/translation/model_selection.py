"""Select the trained model for a translation."""

import logging
from collections.abc import Mapping, Sequence

from image_translation.common.errors import InputError
from image_translation.training.settings import LAST
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.settings import ALL, CHAMPION

logger = logging.getLogger(__name__)

RISING = frozenset({"psnr", "ssim"})
"""Validation metrics for which higher is better."""


def choose_trained(
    task: str,
    wanted: str,
    trained: Mapping[str, TrainedModel],
    parameter: str = "translate.model",
) -> dict[str, TrainedReplicate]:
    """Find the requested models, each with its best replicate on validation.

    Args:
        task: Name of the task, for messages.
        wanted: A model's name; ``all``: all trained models except baselines;
            ``champion``: of these, the best on validation.
        trained: The models on disk, by name.
        parameter: Name of the parameter, for messages.

    Raises:
        InputError: The model does not exist, or no model is trained.
    """
    found = {
        name: best
        for name, model in trained.items()
        if (best := _best_replicate(model))
    }
    if wanted not in (ALL, CHAMPION):
        if wanted not in found:
            raise InputError(
                f"{parameter}: there is no trained {wanted} for {task}, only "
                f"{', '.join(found) or 'none at all'}; pass one of these, or train it: "
                f"kedro run --pipeline={task} --namespaces={task}.{wanted}"
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
    metric = _common_metric(list(learnt.values()))
    first = max(learnt, key=lambda name: validation_rank(learnt[name], metric))
    logger.info(
        "%s has no champion yet: using %s, the best on validation",
        task,
        first,
    )
    return {first: learnt[first]}


def validation_rank(replicate: TrainedReplicate, metric: str) -> float:
    """Score of a replicate on validation; higher is better."""
    history = replicate.history()
    chosen = history.loc[history["epoch"] == replicate.best_epoch]
    value = float(chosen[f"validation/{metric}"].iloc[0])
    return value if metric in RISING else -value


def _best_replicate(model: TrainedModel) -> TrainedReplicate | None:
    if not model.replicates or not model.is_trainable:
        return next(iter(model.replicates), None)
    metric = _common_metric(model.replicates)
    return max(model.replicates, key=lambda each: validation_rank(each, metric))


def _common_metric(replicates: Sequence[TrainedReplicate]) -> str:
    """The metric that selected all epochs, or PSNR if they differ."""
    metrics = {replicate.config["select_by"] for replicate in replicates}
    return metrics.pop() if len(metrics) == 1 and LAST not in metrics else "psnr"
