"""Arrays of pairs, for training, inference and scoring."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.errors import InputError


@dataclass(frozen=True)
class PairArrays:
    """The pairs of one subset.

    Attributes:
        inputs: uint8, N×H×W×3, sRGB; may be memory-mapped.
        targets: uint8, N×H×W×3, sRGB; may be memory-mapped.
        index: One row per pair, in the order of the arrays: ``pair_id``, ``group``.
        fingerprint: Digest of the inputs of the arrays.
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
    """The pairs on which all models are scored.

    Attributes:
        subset: ``test``, or ``validation`` while the test set is sealed.
        test_set: Digest of the test pairs and their preparation, sealed or not. Unlike
            the fingerprint, it does not depend on the code.
    """

    subset: str
    test_set: str

    @property
    def is_sealed(self) -> bool:
        """True if validation pairs replace the test pairs."""
        return self.subset != "test"

    def check_seal(self, is_sealed: bool) -> None:
        """Check that the pairs were selected with the parameters of this run.

        Args:
            is_sealed: True if these parameters seal the test set.

        Raises:
            InputError: The pairs were selected with another setting, by an earlier
                partial run.
        """
        if is_sealed == self.is_sealed:
            return
        raise InputError(
            f"test.sealed is {str(is_sealed).lower()}, but the scored pairs were selected "
            f"with test.sealed={str(self.is_sealed).lower()}. Select them again, with "
            "the --env and --params of this run: kedro run --pipeline=<task> "
            "--tags=preparation"
        )
