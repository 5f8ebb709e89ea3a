"""Nodes of the promotion pipeline."""

from typing import Any

import pandas as pd

from image_translation.datasets.models import Workspace
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.settings import SealSettings
from image_translation.pipelines.comparison.report import by_model
from image_translation.statistics.settings import PromotionSettings
from image_translation.translation.settings import TranslateSettings


def decide_promotion(
    task: str,
    settings: PromotionSettings,
    translation: TranslateSettings,
    seal: SealSettings,
    scored: ScoredPairs,
    split: pd.DataFrame,
    champions: Workspace,
    log: pd.DataFrame | None,
    pair_looks: pd.DataFrame | None,
    **results: Any,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame | None]:
    """Select the challenger on validation pairs and compare it with the champion.

    Args:
        task: Name of the task.
        settings: Metric, guard and margin.
        translation: Parameters of translating photographs.
        seal: Whether the test set is sealed.
        scored: The scored pairs: the test pairs, unless they are sealed.
        split: The subset of every pair.
        champions: Folder of the champions.
        log: Earlier decisions, or None.
        pair_looks: Number of the last evaluation of each test pair, or None.
        **results: ``<model>.trained`` and ``<model>.scores`` of each model.

    Returns:
        The decision, all decisions, and the number of the last evaluation of each test
        pair.
    """
    from image_translation.registry import promotion

    scored.check_seal(seal.sealed)
    decided = promotion.decide(
        task,
        settings,
        by_model(results, "trained"),
        by_model(results, "scores"),
        scored,
        champions.folder,
        log,
        translation.model_dump(),
        split,
        pair_looks,
        is_sealed=scored.is_sealed,
    )
    return decided.record, decided.log, decided.pair_looks
