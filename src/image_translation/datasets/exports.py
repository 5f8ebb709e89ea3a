"""Exported models, one folder each."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from image_translation.common.files import atomic_folder
from image_translation.common.fingerprint import STAMP_NAME, Deferred, Stamp
from image_translation.datasets.previews import preview_table
from image_translation.export.package import VARIANTS, ModelExport

logger = logging.getLogger(__name__)


class ExportsDataset(
    AbstractDataset[Mapping[str, Deferred[ModelExport]], dict[str, Path]]
):
    """Exported models of a task: one folder per model, with the model's name.

    Saves :class:`~image_translation.common.fingerprint.Deferred` exports by model, unless the
    folder is up to date; a folder is complete or absent. Loads the folders by model.

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

    def save(self, data: Mapping[str, Deferred[ModelExport]]) -> None:
        """Write the exports that are not up to date; keep all others."""
        for model, deferred in data.items():
            folder = self._filepath / model
            if Stamp(folder).matches(deferred.fingerprint):
                logger.info("%s is up to date", folder)
                continue
            export = deferred.make()
            with atomic_folder(folder) as temporary:
                export.write(temporary)
                Stamp(temporary).write(deferred.fingerprint)
            logger.info("Exported %s to %s", model, folder)

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
