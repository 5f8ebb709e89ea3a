"""Nodes of the preparation pipeline."""

from typing import Any

import pandas as pd

from image_translation.fingerprint import Deferred
from image_translation.pairing.preparation import PairStream, prepare_pairs
from image_translation.pairing.settings import PairingSettings, PreparationSettings
from image_translation.sources import Source


def prepare_side(
    source: Source,
    split: pd.DataFrame,
    pairing: dict[str, Any],
    preparation: dict[str, Any],
    side: str,
) -> Deferred[PairStream]:
    """Decode and resize the pairs of one side of the split."""
    return prepare_pairs(
        source,
        split,
        side,
        PairingSettings.model_validate(pairing),
        PreparationSettings.model_validate(preparation),
    )
