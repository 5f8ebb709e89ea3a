"""A folder in which nodes write their own files."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from image_translation.common.stamps import is_dry_run


class FolderDataset(AbstractDataset[None, Path]):
    """A local folder, passed to nodes as a path.

    For nodes that read and write files while they run: downloads of a source,
    checkpoints of a training. The folder is created when it is loaded.

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
        """Create the dataset.

        Args:
            filepath: The folder.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The path of the folder, which is created if necessary."""
        if not is_dry_run():
            self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: None) -> NoReturn:
        """Reject: nodes write into the folder, they do not return it."""
        raise DatasetError(f"{self._filepath} can only be an input of a node")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_dir()
