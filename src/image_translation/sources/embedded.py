"""Embedded sources: images that ship with installed packages."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType, ModuleType

from image_translation.common.fingerprint import fingerprint
from image_translation.imaging import digits, sample_photographs
from image_translation.sources.cached_dir import cached_dir
from image_translation.sources.folder import list_folder
from image_translation.sources.source import Source


def open_photographs(folder: Path) -> Source:
    """Crops of colour photographs; each photo is a group with a fixed subset."""
    root = _make(
        folder / "photographs", sample_photographs, sample_photographs.write_crops
    )
    files = list_folder(root).files
    photos = sample_photographs.PHOTOGRAPHS
    return Source(
        name="photographs",
        root=root,
        files=files,
        groups={file: PurePosixPath(file).parts[0] for file in files},
        subsets={
            photo.name: sample_photographs.subset_of(photo.name) for photo in photos
        },
        credit="; ".join(f"{photo.name}: {photo.credit}" for photo in photos),
    )


def open_digits(folder: Path) -> Source:
    """Scikit-learn's handwritten digits."""
    root = _make(folder / "digits", digits, digits.write_digits)
    files = list_folder(root).files
    return Source(name="digits", root=root, files=files, credit=digits.CREDIT)


def _make(folder: Path, module: ModuleType, write: Callable[[Path], object]) -> Path:
    return cached_dir(folder.absolute(), fingerprint(module.__name__), write)


EMBEDDED: Mapping[str, Callable[[Path], Source]] = MappingProxyType(
    {"photographs": open_photographs, "digits": open_digits}
)
"""Embedded sources by name."""
