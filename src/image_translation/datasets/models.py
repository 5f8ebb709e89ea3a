"""A model's folder, while it is trained and afterwards."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from image_translation.datasets.previews import preview_table
from image_translation.errors import InputError
from image_translation.training.observer import Observer
from image_translation.training.trained import TrainedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """Where a training writes, and who watches it.

    Attributes:
        folder: The model's folder; it exists.
        observers: Told of every epoch.
    """

    folder: Path
    observers: Sequence[Observer] = ()


class WorkspaceDataset(AbstractDataset[None, Workspace]):
    """A model's folder, given to its training node to keep checkpoints in.

    Example:
        ```yaml
        pix2pix.workspace:
          type: image_translation.datasets.models.WorkspaceDataset
          filepath: data/06_models/colorization/pix2pix
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Point at a folder.

        Args:
            filepath: The folder; made when it is loaded.
            metadata: Not used by Kedro; read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Workspace:
        """The folder, made if need be."""
        self._filepath.mkdir(parents=True, exist_ok=True)
        return Workspace(self._filepath)

    def save(self, data: None) -> None:
        """A workspace is written by the training itself.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("a workspace is read only")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()


class TrainedModelDataset(AbstractDataset[TrainedModel, TrainedModel]):
    """A trained model: ``model.json`` beside the folders of its replicates.

    Example:
        ```yaml
        pix2pix.trained:
          type: image_translation.datasets.models.TrainedModelDataset
          filepath: data/06_models/colorization/pix2pix/model.json
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Point at a model.

        Args:
            filepath: The ``model.json``.
            metadata: Not used by Kedro; read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> TrainedModel:
        """The model, by reference: weights are read when they are asked for."""
        return _read(self._filepath)

    def save(self, data: TrainedModel) -> None:
        """Write what the training came to; the weights are in the folder already."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._filepath.with_suffix(".tmp")
        temporary.write_text(data.to_json(), "utf-8")
        temporary.replace(self._filepath)

    def preview(self) -> TablePreview:
        """What became of every training and what it took, a row a replicate."""
        model = self.load()
        rows = [
            {"replicate": r.replicate, "best_epoch": r.best_epoch, **r.cost}
            for r in model.replicates
        ]
        table = pd.DataFrame(rows or [{"status": model.status, "reason": model.reason}])
        return preview_table(table)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()


class TrainedModelsDataset(AbstractDataset[None, dict[str, TrainedModel]]):
    """All models of a task that were trained, or tried; read only.

    Example:
        ```yaml
        colorization.trained_models:
          type: image_translation.datasets.models.TrainedModelsDataset
          filepath: data/06_models/colorization
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the folder.

        Args:
            filepath: The folder of the models' folders.
            metadata: Not used by Kedro; read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, TrainedModel]:
        """The models by name, by reference; none where nothing was trained yet.

        One that cannot be read, such as one that is being trained anew, is left out.
        """
        models = {}
        for path in sorted(self._filepath.glob("*/model.json")):
            try:
                models[path.parent.name] = _read(path)
            except InputError as error:
                logger.warning("%s is left out: %s", path.parent.name, error)
        return models

    def save(self, data: None) -> None:
        """Models are written one by one.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("all models together are read only")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()


def _read(path: Path) -> TrainedModel:
    """The model of a ``model.json``."""
    return TrainedModel.from_json(path.read_text("utf-8"), path.parent)
