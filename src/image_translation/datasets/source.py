"""A source as JSON."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from image_translation.common.stamps import read_stamped, write_stamped
from image_translation.datasets.previews import TablePreview, preview_table
from image_translation.sources import Source


class SourceDataset(AbstractDataset[Source, Source]):
    """The list of a source's files, as JSON, without the images.

    Example:
        ```yaml
        source:
          type: image_translation.datasets.source.SourceDataset
          filepath: data/02_intermediate/colorization/source.json
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The JSON file.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Source:
        """Load the source."""
        return Source.from_json(read_stamped(self._filepath), self._data)

    def save(self, data: Source) -> None:
        """Write the source."""
        write_stamped(self._filepath, data.to_json(self._data))

    def preview(self) -> TablePreview:
        """The source as a table of two columns."""
        source = self.load()
        facts = {
            "name": source.name,
            "files": len(source.files),
            "groups known": len(set(source.groups.values())),
            "first files": ", ".join(source.files[:3]),
            "credit": source.credit,
        }
        table = pd.DataFrame({"what": facts.keys(), "value": facts.values()})
        return preview_table(table)

    @property
    def _data(self) -> Path:
        """The folder of all data, above the folders of the layer and of the task."""
        return self._filepath.absolute().parents[2]

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
