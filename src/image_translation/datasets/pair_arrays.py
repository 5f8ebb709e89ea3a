"""Prepared pairs as memory-mapped arrays in a folder."""

import json
import logging
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp, read_stamped, write_stamped
from image_translation.datasets.previews import (
    COLUMNS,
    ROWS,
    ImagePreview,
    preview_images,
)
from image_translation.imaging.contact_sheet import evenly_spaced
from image_translation.pairing.arrays import PairArrays, ScoredPairs, read_pairs

logger = logging.getLogger(__name__)


class PairArraysDataset(AbstractDataset[PairArrays, PairArrays]):
    """Prepared pairs: ``inputs.npy``, ``targets.npy`` (uint8, N×H×W×3), ``index.csv``.

    The preparation node receives the folder as a separate dataset and writes to it in
    batches. Loading maps the arrays into memory. The folder must be local, because
    training reads the arrays in random order.

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
        self.metadata = metadata

    def load(self) -> PairArrays:
        """Map the arrays into memory, read-only."""
        return read_pairs(self._filepath)

    def save(self, data: PairArrays) -> None:
        """Check that the node has written the arrays into the folder."""
        if Stamp(self._filepath).read_content() != data.fingerprint:
            raise DatasetError(f"{self._filepath} does not contain the given arrays")

    def preview(self) -> ImagePreview:
        """Evenly spaced pairs: inputs above, targets below."""
        pairs = self.load()
        chosen = evenly_spaced(len(pairs), COLUMNS * ROWS // 2)
        return preview_images(pairs.inputs[chosen], pairs.targets[chosen])

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return Stamp(self._filepath).read() is not None


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
        chosen = json.loads(read_stamped(self._filepath))
        folder = self._filepath.parent / chosen["subset"]
        pairs = PairArraysDataset(filepath=str(folder)).load()
        return ScoredPairs(**vars(pairs), **chosen)

    def save(self, data: ScoredPairs) -> None:
        """Write the name of the scored subset; its arrays already exist."""
        chosen = {"subset": data.subset, "test_set": data.test_set}
        write_stamped(self._filepath, json.dumps(chosen) + "\n")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
