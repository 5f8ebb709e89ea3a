"""Results of the comparisons of all tasks."""

import json
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from image_translation.statistics.comparison import TaskResults


class _ResultsDataset(AbstractDataset[None, dict[str, Any]]):
    """A result of every task, from one folder per task; read-only."""

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The folder of the tasks' folders.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def save(self, data: None) -> NoReturn:
        """Reject: the comparisons write the results."""
        raise DatasetError(f"{self._filepath} is read-only")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()


class TaskResultsDataset(_ResultsDataset):
    """The tables of every task, in one folder per task; read-only.

    A task without all tables, because it never ran to the end, is skipped.

    Example of use in a catalog:

    ```yaml
    task_results:
      type: image_translation.datasets.results.TaskResultsDataset
      filepath: data/08_reporting
    ```

    In Python:

    ```pycon
    >>> from image_translation.datasets.results import TaskResultsDataset
    >>> results = TaskResultsDataset(filepath="data/08_reporting").load()
    >>> results["colorization"].comparison["model"].unique()
    ```
    """

    def load(self) -> dict[str, TaskResults]:
        """The tables by task."""
        return {
            folder.name: TaskResults(
                *(
                    pd.read_csv(folder / f"{table}.csv", float_precision="round_trip")
                    for table in TaskResults._fields
                )
            )
            for folder in sorted(self._filepath.glob("*/"))
            if all((folder / f"{table}.csv").is_file() for table in TaskResults._fields)
        }


class TypicalImagesDataset(_ResultsDataset):
    """The typical image of every task, in one folder per task; read-only.

    Example of use in a catalog:

    ```yaml
    typical_images:
      type: image_translation.datasets.results.TypicalImagesDataset
      filepath: data/08_reporting
    ```
    """

    def load(self) -> dict[str, dict[str, Any]]:
        """The images by task, with the fields of `reporting.tables.GalleryRow`."""
        return {
            file.parent.name: json.loads(file.read_text("utf-8"))
            for file in sorted(self._filepath.glob("*/typical_image.json"))
        }
