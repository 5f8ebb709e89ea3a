"""A folder that is filled once per fingerprint."""

from collections.abc import Callable
from pathlib import Path

from image_translation.common.files import atomic_folder
from image_translation.common.stamps import Stamp


def cached_dir(folder: Path, fingerprint: str, fill: Callable[[Path], object]) -> Path:
    """Fill a folder, unless it was filled with the same fingerprint before.

    The files are written to a temporary folder, which is then renamed: the previous
    files are kept until the new ones are complete, and incomplete files are never used.

    Args:
        folder: The cached folder.
        fingerprint: Digest of the files' inputs.
        fill: Writes the files into the given empty folder.

    Returns:
        The folder with the files.
    """
    files = folder / "files"
    if not Stamp(folder).is_stale(fingerprint):
        return files
    with atomic_folder(folder) as temporary:
        (temporary / "files").mkdir()
        fill(temporary / "files")
        Stamp(temporary).write(fingerprint)
    return files
