"""Nodes of the promotion pipeline."""

from typing import Any

import pandas as pd

from image_translation.datasets.models import Workspace
from image_translation.metrics.settings import PromotionSettings
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pipelines.comparison.content import by_model


def decide_promotion(
    task: str,
    settings: dict[str, Any],
    translation: dict[str, Any],
    seal: dict[str, Any],
    scored: ScoredPairs,
    split: pd.DataFrame,
    champions: Workspace,
    log: pd.DataFrame | None,
    pair_looks: pd.DataFrame | None,
    **results: Any,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame | None]:
    """Choose the challenger on validation and compare it with the champion.

    Args:
        task: Name of the task.
        settings: Metric, guard and margin.
        translation: How photographs of any size are translated.
        seal: Whether the test set is sealed.
        scored: The pairs that were scored: the test pairs, unless they are sealed.
        split: The side of every pair.
        champions: Where champions are kept.
        log: Earlier decisions, or None.
        pair_looks: Number of the last look at each test pair, or None.
        **results: ``<model>.trained`` and ``<model>.scores`` of each model.

    Returns:
        The decision, all decisions, and the looks at each test pair.
    """
    from image_translation.tracking import promotion

    scored.check_seal(seal["sealed"])
    decided = promotion.decide(
        task,
        PromotionSettings.model_validate(settings),
        by_model(results, "trained"),
        by_model(results, "scores"),
        scored,
        champions.folder,
        log,
        translation,
        split,
        pair_looks,
        is_sealed=scored.is_sealed,
    )
    return decided.record, decided.log, decided.pair_looks
