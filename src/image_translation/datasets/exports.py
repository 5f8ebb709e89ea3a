"""Exported models, one folder each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from image_translation.common.stamps import STAMP_NAME
from image_translation.datasets.previews import TablePreview, preview_table
from image_translation.export.package import VARIANTS


class ExportsDataset(AbstractDataset[Mapping[str, Path], dict[str, Path]]):
    """Exported models of a task: one folder per model, with the model's name.

    The export node receives the folder as a separate dataset and writes to it. Loading
    returns the folders of complete exports by model.

    Example:
        ```yaml
        colorization.exports:
          type: image_translation.datasets.exports.ExportsDataset
          filepath: data/06_models/colorization/exported
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The folder of the models' folders.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Path]:
        """The folders of complete exports, by model."""
        return {
            stamp.parent.name: stamp.parent
            for stamp in sorted(self._filepath.glob(f"*/{STAMP_NAME}"))
        }

    def save(self, data: Mapping[str, Path]) -> None:
        """Check that the node has written the exports into the folder."""
        missing = set(data) - set(self.load())
        if missing:
            raise DatasetError(f"{self._filepath} lacks {', '.join(sorted(missing))}")

    def preview(self) -> TablePreview:
        """The measured variants of all exports."""
        tables = [
            pd.read_csv(folder / VARIANTS).assign(model=model)
            for model, folder in self.load().items()
        ]
        return preview_table(pd.concat(tables) if tables else pd.DataFrame())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return bool(self.load())
