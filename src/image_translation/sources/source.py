"""Sources: where images come from."""

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from image_translation.errors import InputError
from image_translation.fingerprint import Stamp, code_digest, digest
from image_translation.imaging import photographs
from image_translation.imaging.decoding import IMAGE_SUFFIXES

logger = logging.getLogger(__name__)

PHOTOGRAPHS = "photographs"
"""The name of the embedded source."""

_ARCHIVE_LITTER = "__MACOSX"  # resource forks that macOS adds to zip files


@dataclass(frozen=True)
class Source:
    """The image files of a source, and what it tells about them.

    Attributes:
        name: What the source is called in reports.
        root: The folder that the files lie in.
        files: POSIX paths relative to ``root``, sorted.
        groups: File to group, where the source knows which belong together.
        sides: Group to side of the split, where the source names its held-out data.
        credit: Authors and licences, where known.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)
    credit: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest that changes when a file is added, removed, renamed or written to.

        Cheap: it looks at names, sizes and times, not into the files. It does not
        depend on where the root lies.
        """
        states = [(file, *_state(self.root / file)) for file in self.files]
        return digest(states, dict(self.groups), dict(self.sides))

    def to_json(self) -> str:
        """The source as JSON text, for a file."""
        return json.dumps(asdict(self) | {"root": str(self.root)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Source":
        """The source that ``to_json`` wrote."""
        values = json.loads(text)
        root, files = Path(values.pop("root")), tuple(values.pop("files"))
        return cls(root=root, files=files, **values)


def open_source(source: str | None, folder: Path) -> Source:
    """Open a source by the value of the parameter ``source``.

    Args:
        source: ``photographs`` for the embedded ones, or the path of a folder.
        folder: Where a source may keep what it fetches or makes.

    Raises:
        InputError: There is no source, or it cannot be worked with.
    """
    if source is None:
        raise InputError(
            'source: no source is given; pass one: --params "source=<folder>"'
        )
    if source == PHOTOGRAPHS:
        return _open_photographs(folder / PHOTOGRAPHS)
    return list_folder(Path(source))


def list_folder(path: Path) -> Source:
    """List the images in a folder and its sub-folders.

    Files are taken for images by their suffix, in upper or lower case. Hidden files and
    ``__MACOSX`` are skipped.

    Raises:
        InputError: The folder does not exist, is none, or holds no image.
    """
    folder = path.expanduser().absolute()
    if not folder.exists():
        raise InputError(
            f"source: there is no folder {folder}; pass an existing one: "
            '--params "source=<folder>"'
        )
    if not folder.is_dir():
        raise InputError(
            f"source: {folder} is a file; pass the folder that holds the images"
        )
    found = sorted(_walk(folder))
    files = tuple(file for file in found if _suffix(file) in IMAGE_SUFFIXES)
    others = Counter(_suffix(file) for file in found) - Counter(map(_suffix, files))
    _refuse_undecodable_names(files)
    if not files:
        raise InputError(
            f"source: no image in {folder} or its sub-folders, but {_tell(others)}; "
            f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if others:
        logger.info("%s: %s that are no images are ignored", folder, _tell(others))
    return Source(name=folder.name, root=folder, files=files)


def _open_photographs(root: Path) -> Source:
    stamp = Stamp(root)
    fingerprint = digest(code_digest("image_translation.imaging"))
    if not stamp.matches(fingerprint):
        if root.exists():
            shutil.rmtree(root)
        photographs.write_crops(root)
        stamp.write(fingerprint)
    crops = root.glob("*/*.png")
    files = tuple(sorted(crop.relative_to(root).as_posix() for crop in crops))
    groups = {file: PurePosixPath(file).parts[0] for file in files}
    photos = photographs.PHOTOGRAPHS
    return Source(
        name=PHOTOGRAPHS,
        root=root.absolute(),
        files=files,
        groups=groups,
        sides={photo.name: photographs.side_of(photo.name) for photo in photos},
        credit="; ".join(f"{photo.name}: {photo.credit}" for photo in photos),
    )


def _walk(folder: Path) -> Iterator[str]:
    seen = set()  # links may lead in circles
    for current, folders, files in os.walk(
        folder, followlinks=True, onerror=_refuse_folder
    ):
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


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"source: cannot look into {error.filename}: {error.strerror}"
    ) from error


def _refuse_undecodable_names(files: tuple[str, ...]) -> None:
    for file in files:
        try:
            file.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"source: the file name {file!r} is not valid UTF-8; rename the file"
            ) from error


def _suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower()


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # a broken link: reported as unreadable later
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _tell(suffixes: Counter[str]) -> str:
    if not suffixes:
        return "no file at all"
    return ", ".join(
        f"{count} {suffix or 'without suffix'}"
        for suffix, count in suffixes.most_common(5)
    )
