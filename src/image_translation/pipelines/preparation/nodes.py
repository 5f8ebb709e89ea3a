"""Nodes of the preparation pipeline."""

import logging
from pathlib import Path

import pandas as pd

from image_translation.pairing.arrays import PairArrays, ScoredPairs
from image_translation.pairing.preparation import (
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


def prepare_train_pairs(
    source: Source,
    split: pd.DataFrame,
    folder: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> PairArrays:
    """Decode and resize the training pairs."""
    return prepare_pairs(source, split, "train", folder, pairing, preparation)


def prepare_validation_pairs(
    source: Source,
    split: pd.DataFrame,
    folder: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> PairArrays:
    """Decode and resize the validation pairs."""
    return prepare_pairs(source, split, "validation", folder, pairing, preparation)


def prepare_test_pairs(
    source: Source,
    split: pd.DataFrame,
    folder: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> PairArrays:
    """Decode and resize the test pairs."""
    return prepare_pairs(source, split, "test", folder, pairing, preparation)


def choose_scored_pairs(
    test: PairArrays,
    validation: PairArrays,
    seal: SealSettings,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> ScoredPairs:
    """Choose the pairs on which all models are scored: those of the test set.

    While the test set is sealed, the validation pairs replace them everywhere.
    """
    if seal.sealed:
        logger.info("The test set is sealed: models are scored on the validation pairs")
    return ScoredPairs(
        **vars(validation if seal.sealed else test),
        subset="validation" if seal.sealed else "test",
        test_set=identify_pairs(test.index["pair_id"].tolist(), pairing, preparation),
    )
