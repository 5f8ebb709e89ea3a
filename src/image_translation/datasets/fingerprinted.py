"""Files that are written only if their inputs have changed."""

import logging
from pathlib import Path, PurePosixPath

import pandas as pd
from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.text import TextDataset

from image_translation.common.stamps import Stamp, Stamped
from image_translation.datasets.tables import NumbersCSVDataset

logger = logging.getLogger(__name__)


class Fingerprinted:
    """Mixin for a dataset with a stamp next to its file; the first base class.

    Saves `Stamped` outputs; one without a value is up to date, and its file is kept.
    """

    _filepath: PurePosixPath

    def save(self, data: Stamped) -> None:
        """Write the output, unless it is up to date."""
        path = Path(str(self._filepath))
        if data.value is None:
            logger.info("%s is up to date", "/".join(path.parts[-3:]))
            return
        self._stamp.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        super().save(data.value)  # type: ignore[misc]
        self._stamp.write(data.fingerprint)

    def stored_fingerprints(self) -> set[str]:
        """The fingerprint of the file, if it is complete and undamaged."""
        fingerprint = self._stamp.read()
        return set() if fingerprint is None else {fingerprint}

    @property
    def _stamp(self) -> Stamp:
        return Stamp(Path(str(self._filepath)))


class FingerprintedCSVDataset(Fingerprinted, NumbersCSVDataset):
    """A CSV file with a fingerprint.

    A loaded frame has its fingerprint in ``attrs["fingerprint"]``.

    Example:
        ```yaml
        scores:
          type: image_translation.datasets.fingerprinted.FingerprintedCSVDataset
          filepath: data/07_model_output/colorization/pix2pix/scores.csv
        ```
    """

    def load(self) -> pd.DataFrame:
        """The table."""
        frame = super().load()
        frame.attrs["fingerprint"] = self._stamp.read()
        return frame


class FingerprintedJSONDataset(Fingerprinted, JSONDataset):
    """A JSON file with a fingerprint."""


class FingerprintedTextDataset(Fingerprinted, TextDataset):
    """A text file, such as a page, with a fingerprint."""


class FingerprintedMatplotlibDataset(Fingerprinted, MatplotlibDataset):
    """A figure with a fingerprint."""
