"""A JSON file that may not exist yet."""

from typing import Any

from kedro_datasets.json import JSONDataset


class RememberedJSONDataset(JSONDataset):
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
