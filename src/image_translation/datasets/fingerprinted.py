"""Files that are written only if their inputs have changed."""

import logging

import pandas as pd
from kedro_datasets.json import JSONDataset
from kedro_datasets.text import TextDataset

from image_translation.common.stamps import Stamped
from image_translation.datasets.checked import Checked
from image_translation.datasets.tables import NumbersCSVDataset

logger = logging.getLogger(__name__)


class Fingerprinted(Checked):
    """Mixin: a file with a fingerprint, which is kept while it is up to date.

    Saves `Stamped` outputs. An output without a value is up to date and not written.
    """

    def save(self, data: Stamped) -> None:
        """Write the output, unless it is up to date."""
        if data.value is None:
            logger.info("%s is up to date", "/".join(self._path.parts[-3:]))
        else:
            self._replace(data.value, data.fingerprint)

    def stored_fingerprints(self) -> set[str]:
        """The fingerprint of the file, if it is complete and undamaged."""
        fingerprint = self._stamp.read()
        return set() if fingerprint is None else {fingerprint}


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
