"""Pairs as arrays: what training, inference and scoring work on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class PairArrays:
    """The pairs of one side of a split.

    Attributes:
        inputs: uint8, N×H×W×3, sRGB; may be memory-mapped.
        targets: uint8, N×H×W×3, sRGB; may be memory-mapped.
        index: One row a pair, in the order of the arrays: ``pair_id``, ``group``.
        fingerprint: Digest of what the arrays were made from.
    """

    inputs: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    index: pd.DataFrame
    fingerprint: str

    def __len__(self) -> int:
        return len(self.index)

    @property
    def image_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.inputs.shape[1]
