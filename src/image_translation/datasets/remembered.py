"""Files that may not exist yet, read through a second catalog entry."""

from typing import Any

import pandas as pd

from image_translation.datasets.checked import CheckedJSONDataset, RestoredCSVDataset


class RememberedJSONDataset(CheckedJSONDataset):
    """A JSON file, read through a second catalog entry; None if it does not exist.

    Example:
        ```yaml
        judged_key:
          type: image_translation.datasets.remembered.RememberedJSONDataset
          filepath: data/08_reporting/colorization/blind_test_key.json
        ```
    """

    def load(self) -> Any:
        """The content of the file, or None if it does not exist."""
        return super().load() if self.exists() else None

    def save(self, data: Any) -> None:
        """Reject: the file is written through its other catalog entry.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a remembered file is read-only")


class RememberedCSVDataset(RestoredCSVDataset):
    """A CSV file that may not exist yet; it is then loaded as None.

    For a table that a pipeline reads back through a second catalog entry with the same
    path, such as the previous split.
    """

    def load(self) -> pd.DataFrame | None:
        """The table, or None if it does not exist."""
        self._restore()
        return super().load() if self.exists() else None

    def save(self, data: Any) -> None:
        """Reject all data: the table is written through its other catalog entry.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a remembered table is read-only")
