"""Nodes of the promotion pipeline."""

from typing import Any

import pandas as pd

from image_translation.datasets.models import Workspace
from image_translation.metrics.settings import PromotionSettings
from image_translation.pairing.arrays import PairArrays
from image_translation.pipelines.comparison.content import by_model


def decide_promotion(
    task: str,
    settings: dict[str, Any],
    translation: dict[str, Any],
    test: PairArrays,
    split: pd.DataFrame,
    champions: Workspace,
    log: pd.DataFrame | None,
    **results: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Choose the challenger on validation and let it meet the champion.

    Args:
        task: Name of the task.
        settings: Metric, guard and margin.
        translation: How photographs of any size are translated.
        test: The test pairs.
        split: The side of every pair.
        champions: Where champions are kept.
        log: Earlier decisions, or None.
        **results: ``<model>.trained`` and ``<model>.scores`` of each model.

    Returns:
        The decision, and all decisions.
    """
    from image_translation.tracking import promotion

    decided = promotion.decide(
        task,
        PromotionSettings.model_validate(settings),
        by_model(results, "trained"),
        by_model(results, "scores"),
        test,
        champions.folder,
        log,
        translation,
        split,
    )
    return decided.record, decided.log
