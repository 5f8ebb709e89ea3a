"""Nodes of the promotion pipeline."""

from typing import Any

import pandas as pd

from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.models import Workspace
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pipelines.comparison.report import by_model


def decide_promotion(
    settings: TaskSettings,
    scored: ScoredPairs,
    split: pd.DataFrame,
    champions: Workspace,
    log: pd.DataFrame | None,
    pair_looks: pd.DataFrame | None,
    **results: Any,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame | None]:
    """Select the challenger on validation pairs and compare it with the champion.

    Args:
        settings: All parameters of the task.
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

    scored.check_seal(settings.test.sealed)
    decided = promotion.decide(
        settings.name,
        settings.promotion,
        by_model(results, "trained"),
        by_model(results, "scores"),
        scored,
        champions.folder,
        log,
        settings.served.model_dump(),
        split,
        pair_looks,
        is_sealed=scored.is_sealed,
    )
    return decided.record, decided.log, decided.pair_looks
