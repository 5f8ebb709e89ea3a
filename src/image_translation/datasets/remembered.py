"""A JSON file that may not be there yet."""

from typing import Any

from kedro_datasets.json import JSONDataset


class RememberedJSONDataset(JSONDataset):
    """A JSON file, read through a second catalog entry: loads None where there is none.

    Example:
        ```yaml
        judged_key:
          type: image_translation.datasets.remembered.RememberedJSONDataset
          filepath: data/08_reporting/colorization/blind_test_key.json
        ```
    """

    def load(self) -> Any:
        """What is in the file, or None where there is none yet."""
        return super().load() if self.exists() else None

    def save(self, data: Any) -> None:
        """The file is written through its other catalog entry.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a remembered file is read only")
