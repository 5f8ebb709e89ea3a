"""Prepared pairs as memory-mapped arrays in a folder."""

import json
import logging
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview
from numpy.typing import NDArray

from image_translation.common.errors import InputError
from image_translation.common.files import atomic_write, write_text
from image_translation.common.fingerprint import Deferred, Stamp
from image_translation.common.progress import progress
from image_translation.datasets.previews import COLUMNS, ROWS, preview_images
from image_translation.imaging.contact_sheet import evenly_spaced
from image_translation.pairing.arrays import PairArrays, ScoredPairs
from image_translation.pairing.preparation import PairStream

logger = logging.getLogger(__name__)

INPUTS, TARGETS, INDEX = "inputs.npy", "targets.npy", "index.csv"


class PairArraysDataset(AbstractDataset[Deferred[PairStream], PairArrays]):
    """Prepared pairs: ``inputs.npy``, ``targets.npy`` (uint8, N×H×W×3), ``index.csv``.

    Saving writes batch by batch, and is skipped if the arrays are up to date. Loading
    maps the arrays into memory. The folder is local, because training reads the arrays
    in random order.

    Example of use in a catalog:

    ```yaml
    colorization.train:
      type: image_translation.datasets.pair_arrays.PairArraysDataset
      filepath: data/05_model_input/colorization/train
    ```

    In Python:

    ```pycon
    >>> from image_translation.datasets.pair_arrays import PairArraysDataset
    >>> path = "data/05_model_input/colorization/train"
    >>> pairs = PairArraysDataset(filepath=path).load()
    >>> pairs.inputs.shape
    (285, 64, 64, 3)
    ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The folder of the arrays.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self._stamp = Stamp(self._filepath)
        self.metadata = metadata

    def load(self) -> PairArrays:
        """Map the arrays into memory, read-only."""
        fingerprint = self._stamp.read()
        if fingerprint is None:
            task = self._filepath.parent.name
            raise InputError(
                f"{self._filepath} contains no prepared pairs. Prepare them, with the --env "
                f"and --params of this run: kedro run --pipeline={task} "
                "--tags=ingestion,splitting,preparation"
            )
        return PairArrays(
            inputs=np.load(self._filepath / INPUTS, mmap_mode="r"),
            targets=np.load(self._filepath / TARGETS, mmap_mode="r"),
            index=pd.read_csv(self._filepath / INDEX, dtype=str, keep_default_na=False),
            fingerprint=fingerprint,
        )

    def save(self, data: Deferred[PairStream]) -> None:
        """Write the arrays, unless they are up to date."""
        if self._stamp.matches(data.fingerprint):
            logger.info("%s is up to date", self._filepath)
            return
        self._filepath.mkdir(parents=True, exist_ok=True)
        self._stamp.clear()
        stream = data.make()
        _write_arrays(stream, self._filepath)
        stream.index.to_csv(self._filepath / INDEX, index=False)
        self._stamp.write(data.fingerprint)

    def preview(self) -> ImagePreview:
        """Evenly spaced pairs: inputs above, targets below."""
        pairs = self.load()
        chosen = evenly_spaced(len(pairs), COLUMNS * ROWS // 2)
        return preview_images(pairs.inputs[chosen], pairs.targets[chosen])

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._stamp.read() is not None


class ScoredPairsDataset(AbstractDataset[ScoredPairs, ScoredPairs]):
    """The scored pairs: a small file with the name of their folder.

    Loading maps the arrays of that folder, which is next to the file.

    Example of use in a catalog:

    ```yaml
    colorization.scored_pairs:
      type: image_translation.datasets.pair_arrays.ScoredPairsDataset
      filepath: data/05_model_input/colorization/scored_pairs.json
    ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The file, next to the folders of the prepared pairs.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> ScoredPairs:
        """Map the arrays of the scored pairs into memory, read-only."""
        if not self._exists():
            task = self._filepath.parent.name
            raise InputError(
                f"{self._filepath} does not exist: the scored pairs were not selected. "
                "Select them, with the --env and --params of this run: "
                f"kedro run --pipeline={task} --tags=preparation"
            )
        chosen = json.loads(self._filepath.read_text("utf-8"))
        folder = self._filepath.parent / chosen["subset"]
        pairs = PairArraysDataset(filepath=str(folder)).load()
        return ScoredPairs(**vars(pairs), **chosen)

    def save(self, data: ScoredPairs) -> None:
        """Write the name of the scored subset; its arrays already exist."""
        chosen = {"subset": data.subset, "test_set": data.test_set}
        write_text(self._filepath, json.dumps(chosen) + "\n")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()


def _write_arrays(stream: PairStream, folder: Path) -> None:
    """Write to a temporary folder, then rename: another process may have mapped the old
    arrays.

    Plain writes instead of a memory map: on a full disk they raise an error, whereas a
    memory map kills the process.
    """
    total = len(stream.index)
    batches = progress(
        stream.batches(), f"preparing {folder.name}", total, "pairs", _count
    )
    with (
        atomic_write(folder / INPUTS) as inputs_path,
        atomic_write(folder / TARGETS) as targets_path,
        inputs_path.open("wb") as inputs,
        targets_path.open("wb") as targets,
    ):
        for file in (inputs, targets):
            _write_header(file, (total, stream.image_size, stream.image_size, 3))
        for input_batch, target_batch in batches:
            inputs.write(np.ascontiguousarray(input_batch).data)
            targets.write(np.ascontiguousarray(target_batch).data)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _count(batch: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> int:
    return len(batch[0])
