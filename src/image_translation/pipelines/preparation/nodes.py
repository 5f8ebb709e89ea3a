"""Nodes of the preparation pipeline."""

import logging
from typing import Any

import pandas as pd

from image_translation.fingerprint import Deferred
from image_translation.pairing.arrays import PairArrays, ScoredPairs
from image_translation.pairing.preparation import (
    PairStream,
    identify_pairs,
    prepare_pairs,
)
from image_translation.pairing.settings import (
    PairingSettings,
    PreparationSettings,
    SealSettings,
)
from image_translation.sources import Source

logger = logging.getLogger(__name__)


def prepare_subset(
    source: Source,
    split: pd.DataFrame,
    pairing: dict[str, Any],
    preparation: dict[str, Any],
    subset: str,
) -> Deferred[PairStream]:
    """Decode and resize the pairs of one subset."""
    return prepare_pairs(
        source,
        split,
        subset,
        PairingSettings.model_validate(pairing),
        PreparationSettings.model_validate(preparation),
    )


def choose_scored_pairs(
    test: PairArrays,
    validation: PairArrays,
    seal: dict[str, Any],
    pairing: dict[str, Any],
    preparation: dict[str, Any],
) -> ScoredPairs:
    """Choose the pairs on which all models are scored: those of the test set.

    While the test set is sealed, the validation pairs replace them everywhere.
    """
    is_sealed = SealSettings.model_validate(seal).sealed
    if is_sealed:
        logger.info("The test set is sealed: models are scored on the validation pairs")
    return ScoredPairs(
        **vars(validation if is_sealed else test),
        subset="validation" if is_sealed else "test",
        test_set=identify_pairs(
            test.index["pair_id"].tolist(),
            PairingSettings.model_validate(pairing),
            PreparationSettings.model_validate(preparation),
        ),
    )
