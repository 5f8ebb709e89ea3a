"""A folder that nodes keep files in themselves."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[None, Path]):
    """A local folder, handed to nodes as a path.

    For work that reads and writes files of its own while it runs: what a source
    fetches, the checkpoints of a training. It is created when it is loaded.

    Example of use in a catalog:

    ```yaml
    colorization.raw:
      type: image_translation.datasets.folder.FolderDataset
      filepath: data/01_raw/colorization
    ```

    In Python:

    ```pycon
    >>> from image_translation.datasets.folder import FolderDataset
    >>> folder = FolderDataset(filepath="data/01_raw/colorization").load()
    ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the folder.

        Args:
            filepath: The folder.
            metadata: Anything; Kedro ignores it, plugins read it.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Create the folder where it is missing, and give its path."""
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: None) -> NoReturn:
        """Refuse: nodes write into the folder, they do not return it."""
        raise DatasetError(f"{self._filepath} is a node's input, never its output")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()
