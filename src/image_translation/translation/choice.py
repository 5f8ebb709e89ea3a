"""Which of the trained models translates."""

import logging
from collections.abc import Mapping, Sequence

from image_translation.errors import InputError
from image_translation.training.settings import LAST
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.settings import ALL, CHAMPION

logger = logging.getLogger(__name__)

RISING = frozenset({"psnr", "ssim"})
"""Validation metrics of which more is better; of the others, less is."""


def choose_trained(
    task: str,
    wanted: str,
    trained: Mapping[str, TrainedModel],
    parameter: str = "translate.model",
) -> dict[str, TrainedReplicate]:
    """Find the models that a user wants, each in its replicate best on validation.

    Args:
        task: Name of the task, for messages.
        wanted: A model's name; ``all``: every one that was trained, baselines left out;
            ``champion``: of these the best on validation.
        trained: What there is on disk, by model.
        parameter: Where the user says it, for messages.

    Raises:
        InputError: There is no such model, or nothing trained.
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
    learnt = {name: best for name, best in found.items() if trained[name].is_learnt}
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
        "No model of %s is in use (champion) yet: %s is taken, the best on validation",
        task,
        first,
    )
    return {first: learnt[first]}


def validation_rank(replicate: TrainedReplicate, metric: str) -> float:
    """How good a replicate was on validation; more is better."""
    history = replicate.history()
    chosen = history.loc[history["epoch"] == replicate.best_epoch]
    value = float(chosen[f"validation/{metric}"].iloc[0])
    return value if metric in RISING else -value


def _best_replicate(model: TrainedModel) -> TrainedReplicate | None:
    if not model.replicates or not model.is_learnt:
        return next(iter(model.replicates), None)
    metric = _common_metric(model.replicates)
    return max(model.replicates, key=lambda each: validation_rank(each, metric))


def _common_metric(replicates: Sequence[TrainedReplicate]) -> str:
    """What chose the epoch of all of them, or PSNR where they have no metric in common."""
    metrics = {replicate.config["select_by"] for replicate in replicates}
    return metrics.pop() if len(metrics) == 1 and LAST not in metrics else "psnr"
