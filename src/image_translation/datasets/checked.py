"""Datasets of files that are written atomically and checked when they are read.

A stamp next to the file holds its size and digest. `Checked` and `Restored` are mixins
for Kedro's datasets of one local file.
"""

import filecmp
import logging
import shutil
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from kedro_datasets.text import TextDataset

from image_translation.common.errors import InputError, first_line
from image_translation.common.files import atomic_write
from image_translation.common.spreadsheets import protect_frame, restore_frame
from image_translation.common.stamps import Stamp

logger = logging.getLogger(__name__)


class Checked:
    """Mixin: a file that every run of its node rewrites.

    Saving replaces the file atomically, and warns if the old file was damaged. Loading a
    damaged file raises an error that names it.
    """

    _filepath: PurePosixPath
    _version: Any

    def load(self) -> Any:
        """The content.

        Raises:
            InputError: The file is damaged.
        """
        if not self._version:
            self._stamp.verify()
        try:
            return super().load()  # type: ignore[misc]
        except DatasetError as error:
            if self._version or not self._path.exists():
                raise
            raise InputError(
                f"{self._path} cannot be read ({first_line(error.__cause__ or error)}). "
                "Restore it from a backup, or remove it and run the task's whole pipeline"
            ) from error

    def save(self, data: Any) -> None:
        """Replace the file."""
        if self._version:
            super().save(data)  # type: ignore[misc]
            return
        self._stamp.read()  # warns of damage
        self._replace(data, "")

    def _replace(self, data: Any, fingerprint: str) -> None:
        self._stamp.clear()
        with atomic_write(self._path) as temporary:
            self._write(data, temporary)
        self._stamp.write(fingerprint)

    def differs(self, data: Any) -> bool:
        """True if saving the data would change the file."""
        with TemporaryDirectory() as folder:
            new = Path(folder) / self._path.name
            self._write(data, new)
            is_same = self._path.is_file() and filecmp.cmp(new, self._path, False)
        return not is_same

    def _write(self, data: Any, path: Path) -> None:
        final = self._filepath
        self._filepath = PurePosixPath(path.as_posix())
        try:
            super().save(data)  # type: ignore[misc]
        finally:
            self._filepath = final

    @property
    def _path(self) -> Path:
        return Path(str(self._filepath))

    @property
    def _stamp(self) -> Stamp:
        return Stamp(self._path)


class Restored(Checked):
    """Mixin: a file that cannot be recreated, so a copy of it is kept.

    A damaged, edited or missing file is restored from the copy; a changed file is renamed
    to ``<name>.changed``. To start over, remove the folder of the file.
    """

    def load(self) -> Any:
        """The content."""
        self._restore()
        return super().load()

    def _replace(self, data: Any, fingerprint: str) -> None:
        super()._replace(data, fingerprint)
        with atomic_write(self._copy) as temporary:
            shutil.copyfile(self._path, temporary)

    def _restore(self) -> None:
        path, stamp = self._path, self._stamp
        if not stamp.path.exists() or stamp.is_intact():
            return
        aside = path.with_name(f"{path.name}.changed")
        both = [file.read_bytes() for file in (path, self._copy) if file.is_file()]
        is_stamp_lost = not stamp.digests()
        if is_stamp_lost and len(both) == 2 and both[0] == both[1]:
            logger.warning("%s was damaged and is recreated", stamp.path)
            stamp.write("")
            return
        if not stamp.matches_copy(self._copy):
            raise InputError(
                f"{path} is missing or damaged, and so is its copy {self._copy}. Restore "
                "one of them from a backup, or remove the folder to start over"
            )
        if path.exists():
            path.replace(aside)
        shutil.copyfile(self._copy, path)
        logger.warning(
            "%s was missing, damaged or edited, and is restored from its copy. A changed file "
            "is kept as %s; to use it instead, rename it back and remove %s",
            path,
            aside.name,
            stamp.path,
        )

    @property
    def _copy(self) -> Path:
        return self._path.with_name(f".{self._path.name}.copy")


class ProtectedCSVDataset(CSVDataset):
    """A CSV file whose text spreadsheets do not run as formulas."""

    def load(self) -> Any:
        """The table, as it was saved."""
        return restore_frame(super().load())

    def save(self, data: Any) -> None:
        """Write the table; see ``common.spreadsheets``."""
        super().save(protect_frame(data))


class CheckedCSVDataset(Checked, ProtectedCSVDataset):
    """A CSV file, written atomically, checked and protected.

    Example:
        ```yaml
        tied_pairs:
          type: image_translation.datasets.checked.CheckedCSVDataset
          filepath: data/03_primary/colorization/tied_pairs.csv
        ```
    """


class CheckedJSONDataset(Checked, JSONDataset):
    """A JSON file, written atomically and checked."""


class CheckedTextDataset(Checked, TextDataset):
    """A text file, written atomically and checked."""


class RestoredCSVDataset(Restored, ProtectedCSVDataset):
    """A CSV file that cannot be recreated, such as the split.

    Example:
        ```yaml
        split:
          type: image_translation.datasets.checked.RestoredCSVDataset
          filepath: data/03_primary/colorization/split.csv
        ```
    """
