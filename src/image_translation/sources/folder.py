"""List the images of a folder."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import is_special
from image_translation.imaging.decoding import IMAGE_SUFFIXES
from image_translation.sources.source import Source

logger = logging.getLogger(__name__)

_NAMED = 5  # maximum number of files named in a message
_ARCHIVE_LITTER = "__MACOSX"  # resource forks that macOS adds to zip files


def list_folder(path: Path, parameter: str = "source") -> Source:
    """List the images in a folder and its sub-folders.

    Image files are recognized by their suffix, in upper or lower case. Hidden files and
    ``__MACOSX`` are skipped. FIFOs, sockets, devices, links to them, files whose names are
    not valid UTF-8, and sub-folders that cannot be read are also skipped, with a warning.

    Args:
        path: The folder.
        parameter: Name of the parameter, for messages.

    Raises:
        InputError: The folder does not exist, is not a folder, cannot be read, or contains
            no image.
    """
    folder = path.expanduser().absolute()
    if not folder.exists():
        raise InputError(
            f"{parameter}: the folder {folder} does not exist; pass an existing one: "
            f'--params "{parameter}=<folder>"'
        )
    if not folder.is_dir():
        raise InputError(
            f"{parameter}: {folder} is a file; pass the folder that contains the images"
        )
    unreadable: list[str] = []
    walked = sorted(_walk(folder, unreadable))
    if unreadable:
        logger.warning(
            "%s: ignoring %s that cannot be read; allow reading and entering: %s",
            folder,
            wording.count(len(unreadable), "sub-folder"),
            _name_some(unreadable),
        )
    special = [file for file in walked if is_special(folder / file)]
    if special:
        logger.warning(
            "%s: ignoring %s, not regular files: %s",
            folder,
            wording.count(len(special), "entry", "entries"),
            _name_some(special),
        )
    found = sorted(set(walked) - set(special))
    images = [file for file in found if _suffix(file) in IMAGE_SUFFIXES]
    others = Counter(_suffix(file) for file in found) - Counter(map(_suffix, images))
    files = tuple(file for file in images if _is_utf8(file))
    unnamable = [file for file in images if not _is_utf8(file)]
    if unnamable:
        logger.warning(
            "%s: ignoring %s with a name that is not valid UTF-8; rename: %s",
            folder,
            wording.count(len(unnamable), "image"),
            _name_some(unnamable),
        )
    if not files and not unnamable:
        raise InputError(
            f"{parameter}: no image in {folder} or its sub-folders, but {_count_by_suffix(others)}; "
            f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if others:
        logger.info(
            "%s: ignoring files that are not images: %s",
            folder,
            _count_by_suffix(others),
        )
    shown = tuple(map(_shown, unnamable))
    return Source(name=folder.name, root=folder, files=files, unnamable=shown)


def _walk(folder: Path, unreadable: list[str]) -> Iterator[str]:
    """The files of a folder, relative to it; adds sub-folders that cannot be read."""

    def skip(error: OSError) -> None:
        failed = Path(error.filename)
        if failed == folder:
            raise InputError(f"cannot list {folder}: {error.strerror}") from error
        unreadable.append(failed.relative_to(folder).as_posix())

    seen = set()  # links may form cycles
    for current, folders, files in os.walk(folder, followlinks=True, onerror=skip):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and name != _ARCHIVE_LITTER
        )
        relative = Path(current).relative_to(folder)
        yield from ((relative / name).as_posix() for name in files if name[0] != ".")


def _is_utf8(file: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in file)


def _shown(file: str) -> str:
    """The name with ``\\xff`` in place of a byte that is not valid UTF-8."""
    return os.fsencode(file).decode(errors="backslashreplace")


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower()


def _name_some(files: Sequence[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(f"'{_shown(file)}'" for file in files[:_NAMED]) + more


def _count_by_suffix(suffixes: Counter[str]) -> str:
    if not suffixes:
        return "no files"
    return ", ".join(
        f"{count} {suffix or 'without suffix'}"
        for suffix, count in suffixes.most_common(5)
    )
