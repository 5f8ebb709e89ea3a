"""Open a source by its name."""

from dataclasses import replace
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.stamps import Unchecked, is_dry_run
from image_translation.sources import archive, idx, kaggle, remote
from image_translation.sources.embedded import EMBEDDED
from image_translation.sources.folder import list_folder
from image_translation.sources.source import Source


def open_source(source: str | None, folder: Path) -> Source:
    """Open a source by the value of the parameter ``source``.

    Args:
        source: ``photographs`` or ``digits``, which are embedded;
            ``kaggle:owner/dataset``, ``kaggle-competition:name``; a URL that fsspec
            supports; or the path of a folder or an archive. Folders may contain MNIST's
            IDX files instead of images.
        folder: Folder for downloaded or generated files.

    Raises:
        InputError: No source is given, or it is unusable.
    """
    if source is None:
        raise InputError(
            'source: no source is given; pass one: --params "source=<folder>"'
        )
    if source in EMBEDDED:
        return EMBEDDED[source](folder)
    root = _unpacked(_located(source, folder), folder)
    images = idx.find_idx(root) if root.is_dir() else {}
    if images:
        root = idx.convert_idx(images, folder.absolute() / "idx")
    return replace(list_folder(root), name=name_of(source))


def is_path(source: str) -> bool:
    """True if a source is a path on this machine."""
    if source in EMBEDDED or "://" in source:
        return False
    return not source.startswith((kaggle.DATASET, kaggle.COMPETITION))


def name_of(source: str) -> str:
    """Name of a source in reports, without local folders and secrets."""
    if "://" in source:
        return remote.redact(source)
    return Path(source).name if is_path(source) else source


def _located(source: str, folder: Path) -> Path:
    if is_dry_run() and not is_path(source):
        raise Unchecked(source)
    if source.startswith((kaggle.DATASET, kaggle.COMPETITION)):
        return kaggle.download(source)
    if "://" in source:
        return remote.fetch(source, folder.absolute() / "remote")
    return Path(source).expanduser().absolute()


def _unpacked(path: Path, folder: Path) -> Path:
    """The folder with an archive's files; a folder is returned unchanged."""
    if not path.is_file():
        return path
    if not archive.is_archive(path):
        raise InputError(
            f"source: {path} is neither a folder nor a zip or tar file; pass the folder "
            "or the archive that contains the images"
        )
    return archive.unpack(path, folder.absolute() / "unpacked")
