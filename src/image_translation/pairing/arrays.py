"""Arrays of pairs, for training, inference and scoring."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.errors import InputError
from image_translation.common.files import atomic_write
from image_translation.common.names import TEST
from image_translation.common.progress import progress
from image_translation.common.spreadsheets import read_texts, to_csv
from image_translation.common.stamps import Stamp

INPUTS, TARGETS, INDEX = "inputs.npy", "targets.npy", "index.csv"

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Input and target, or batches of them."""


@dataclass(frozen=True)
class PairArrays:
    """The pairs of one subset.

    Attributes:
        inputs: uint8, N×H×W×3, sRGB; may be memory-mapped.
        targets: uint8, N×H×W×3, sRGB; may be memory-mapped.
        index: One row per pair, in the order of the arrays: ``pair_id``, ``group``.
        fingerprint: Digest of the arrays and the index.
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
        test_set: Digest of the test pairs and their preparation, sealed or not.
    """

    subset: str
    test_set: str

    @property
    def is_sealed(self) -> bool:
        """True if validation pairs replace the test pairs."""
        return self.subset != TEST

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


def read_pairs(folder: Path) -> PairArrays:
    """Map the arrays in a folder into memory, read-only.

    Raises:
        InputError: The folder has no complete arrays.
    """
    fingerprint = Stamp(folder).read_content()
    if fingerprint is None:
        raise InputError(
            f"{folder} contains no prepared pairs. Prepare them, with the --env "
            f"and --params of this run: kedro run --pipeline={folder.parent.name} "
            "--tags=ingestion,splitting,preparation"
        )
    return PairArrays(
        inputs=np.load(folder / INPUTS, mmap_mode="r"),
        targets=np.load(folder / TARGETS, mmap_mode="r"),
        index=read_texts(folder / INDEX),
        fingerprint=fingerprint,
    )


def check_unchanged(*parts: PairArrays) -> None:
    """Check that the arrays on disk have not changed since they were loaded.

    Raises:
        InputError: Another process has replaced or changed them.
    """
    for pairs in parts:
        if not isinstance(pairs.inputs, np.memmap):
            continue
        folder = Path(str(pairs.inputs.filename)).parent
        if Stamp(folder).read_content() != pairs.fingerprint:
            raise InputError(
                f"{folder} was changed while it was in use, so this result is discarded. "
                "Run the same command again, without another command on the same data"
            )


def write_pairs(
    folder: Path, index: pd.DataFrame, image_size: int, batches: Iterable[Pair]
) -> None:
    """Write pairs in batches, with bounded memory.

    The files are renamed at the end, because another process may have mapped the old
    arrays. They are not written through a memory map: on a full disk, that would kill
    the process.

    Args:
        folder: Receives ``inputs.npy``, ``targets.npy`` and ``index.csv``.
        index: One row per pair, in the order of the batches: ``pair_id``, ``group``.
        image_size: Height and width of the images in pixels.
        batches: Inputs and targets, each uint8, n×H×W×3.
    """
    total = len(index)
    counted = progress(batches, f"preparing {folder.name}", total, "pairs", _count)
    with (
        atomic_write(folder / INPUTS) as inputs_path,
        atomic_write(folder / TARGETS) as targets_path,
        atomic_write(folder / INDEX) as index_path,
        inputs_path.open("wb") as inputs,
        targets_path.open("wb") as targets,
    ):
        for file in (inputs, targets):
            _write_header(file, (total, image_size, image_size, 3))
        for input_batch, target_batch in counted:
            inputs.write(np.ascontiguousarray(input_batch).data)
            targets.write(np.ascontiguousarray(target_batch).data)
        to_csv(index, index_path)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _count(batch: Pair) -> int:
    return len(batch[0])
