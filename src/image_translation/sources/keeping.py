"""Folders that are filled once, and kept as long as what they are made from stays."""

import shutil
from collections.abc import Callable
from pathlib import Path

from image_translation.fingerprint import Stamp


def fill_once(folder: Path, fingerprint: str, fill: Callable[[Path], object]) -> Path:
    """Fill a folder, unless that was done from the same things before.

    It is filled aside and then renamed: what was there stays until the new one is
    complete, and what was cut off is never taken for complete.

    Args:
        folder: Where to keep it.
        fingerprint: Digest of what the files are made from.
        fill: Writes the files into the empty folder that it is given.

    Returns:
        The folder with the files.
    """
    kept, stamp = folder / "files", Stamp(folder)
    if stamp.matches(fingerprint) and kept.is_dir():
        return kept
    aside = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    (aside / "files").mkdir(parents=True)
    fill(aside / "files")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    stamp.write(fingerprint)
    return kept
