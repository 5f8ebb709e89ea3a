"""Files that are written only if their inputs have changed."""

import logging
from pathlib import Path, PurePosixPath

import pandas as pd
from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.text import TextDataset

from image_translation.common.fingerprint import Deferred, Stamp
from image_translation.datasets.tables import NumbersCSVDataset

logger = logging.getLogger(__name__)


class _Fingerprinted:
    """Mixin for a dataset with a fingerprint next to its file; the first base class.

    Saves a :class:`~image_translation.common.fingerprint.Deferred` output, unless the file is
    up to date.
    """

    _filepath: PurePosixPath

    def save(self, data: Deferred) -> None:
        """Compute and write the output, unless it is up to date."""
        path = Path(str(self._filepath))
        if self._stamp.matches(data.fingerprint) and path.exists():
            logger.info("%s is up to date", "/".join(path.parts[-3:]))
            return
        self._stamp.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        super().save(data.make())  # type: ignore[misc]
        self._stamp.write(data.fingerprint)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(Path(str(self._filepath)))


class FingerprintedCSVDataset(_Fingerprinted, NumbersCSVDataset):
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


class FingerprintedJSONDataset(_Fingerprinted, JSONDataset):
    """A JSON file with a fingerprint."""


class FingerprintedTextDataset(_Fingerprinted, TextDataset):
    """A text file, such as a page, with a fingerprint."""


class FingerprintedMatplotlibDataset(_Fingerprinted, MatplotlibDataset):
    """A figure with a fingerprint."""
