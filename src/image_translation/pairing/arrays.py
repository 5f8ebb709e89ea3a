"""Pairs as arrays: what training, inference and scoring work on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.errors import InputError


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


@dataclass(frozen=True)
class ScoredPairs(PairArrays):
    """The pairs that all models are scored on.

    Attributes:
        subset: ``test``, or ``validation`` while the test set is sealed.
        test_set: Digest of the test pairs and their preparation, sealed or not. Unlike
            the fingerprint it does not depend on the code.
    """

    subset: str
    test_set: str

    @property
    def is_sealed(self) -> bool:
        """Whether validation pairs take the place of the test pairs."""
        return self.subset != "test"

    def check_seal(self, is_sealed: bool) -> None:
        """Make sure that the pairs were chosen by the parameters of this run.

        Args:
            is_sealed: Whether these seal the test set.

        Raises:
            InputError: They were not: a run of a part did not choose them anew.
        """
        if is_sealed == self.is_sealed:
            return
        raise InputError(
            f"test.sealed is {str(is_sealed).lower()} now, but the pairs to score were "
            f"chosen while it was {str(self.is_sealed).lower()}. Choose them anew, with "
            "the --env and --params of this run: kedro run --pipeline=<task> "
            "--tags=preparation"
        )
