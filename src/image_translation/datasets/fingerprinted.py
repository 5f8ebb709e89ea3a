"""Tables that are made again only when what they are made from has changed."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from image_translation.datasets.tables import NumbersCSVDataset
from image_translation.fingerprint import Deferred, Stamp

logger = logging.getLogger(__name__)


class FingerprintedCSVDataset(NumbersCSVDataset):
    """A CSV file with a fingerprint beside it.

    Saves a :class:`~image_translation.fingerprint.Deferred` data frame, unless the
    file was made from the same things. A loaded frame carries its fingerprint in
    ``attrs["fingerprint"]``.

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

    def save(self, data: Deferred[pd.DataFrame]) -> None:
        """Make and write the table, unless it is up to date."""
        path = Path(str(self._filepath))
        if self._stamp.matches(data.fingerprint) and path.exists():
            logger.info("%s is up to date", "/".join(path.parts[-3:]))
            return
        self._stamp.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        super().save(data.make())
        self._stamp.write(data.fingerprint)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(Path(str(self._filepath)))


class RememberedCSVDataset(CSVDataset):
    """A CSV file that may not be there yet: loads None then.

    For a table that a pipeline reads back through a second catalog entry on the same
    path, such as the split, which is its own memory.
    """

    def load(self) -> pd.DataFrame | None:
        """The table, or None where there is none yet."""
        return super().load() if self.exists() else None

    def save(self, data: Any) -> None:
        """The table is written through its other catalog entry.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a remembered table is read only")
