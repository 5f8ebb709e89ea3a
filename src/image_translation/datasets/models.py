"""The folder of a model, during and after training."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from image_translation.common.errors import InputError
from image_translation.common.stamps import is_dry_run, read_stamped, write_stamped
from image_translation.datasets.previews import TablePreview, preview_table
from image_translation.pipeline_registry import RENAMED_MODELS
from image_translation.training.observer import Observer
from image_translation.training.trained import TrainedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """The output folder and the observers of a training.

    Attributes:
        folder: The model's folder; it exists.
        observers: Observers of the training.
    """

    folder: Path
    observers: Sequence[Observer] = ()


class WorkspaceDataset(AbstractDataset[None, Workspace]):
    """A model's folder, passed to its training node for checkpoints.

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
        """Create the dataset.

        Args:
            filepath: The folder; created on loading.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Workspace:
        """The folder; created if necessary, or renamed if it has a former name."""
        former = _former_folder(self._filepath)
        if is_dry_run():
            return Workspace(former or self._filepath)
        if former is not None:
            logger.info("Renaming %s to %s", former, self._filepath.name)
            former.rename(self._filepath)
        self._filepath.mkdir(parents=True, exist_ok=True)
        return Workspace(self._filepath)

    def save(self, data: None) -> None:
        """Reject: the training writes into the workspace.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("a workspace is read-only")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()


class TrainedModelDataset(AbstractDataset[TrainedModel, TrainedModel]):
    """A trained model: ``model.json`` next to the folders of its replicates.

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
        """Create the dataset.

        Args:
            filepath: The ``model.json``.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> TrainedModel:
        """The model; its weights are loaded on demand."""
        return _read(self._filepath)

    def save(self, data: TrainedModel) -> None:
        """Write the result of the training; the weights are already in the folder."""
        write_stamped(self._filepath, data.to_json())

    def preview(self) -> TablePreview:
        """Status and cost of every training, one row per replicate."""
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
    """All trained or failed models of a task; read-only.

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
        """Create the dataset.

        Args:
            filepath: The folder of the models' folders.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, TrainedModel]:
        """The models by name, with weights loaded on demand; may be empty.

        A model that cannot be read is skipped, for example during its training, or if its
        network was removed from the project.
        """
        models = {}
        for path in sorted(self._filepath.glob("*/model.json")):
            name = path.parent.name
            if name in RENAMED_MODELS:
                name = RENAMED_MODELS[name]
                if _former_folder(path.parent.with_name(name)) is None:
                    continue
            try:
                models[name] = _read(path)
            except InputError as error:
                logger.warning("Skipping %s: %s", path.parent, error)
        return models

    def save(self, data: None) -> None:
        """Reject: models are written one by one.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("the dataset of all models is read-only")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()


def _read(path: Path) -> TrainedModel:
    return TrainedModel.from_json(read_stamped(path), path.parent)


def _former_folder(folder: Path) -> Path | None:
    """The folder of a renamed model, unless it has a folder with its present name."""
    names = [former for former, name in RENAMED_MODELS.items() if name == folder.name]
    found = [folder.with_name(name) for name in names if not folder.exists()]
    return next(filter(Path.is_dir, found), None)
