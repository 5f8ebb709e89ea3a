"""Subsets defined by the folders of a data set."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pandas as pd

from image_translation.common.errors import InputError
from image_translation.common.names import SUBSETS
from image_translation.pairing.settings import Folders


def named_subsets(folders: Folders) -> dict[str, list[str]]:
    """The folders of each subset that has any."""
    return {
        subset: [name.strip("/") for name in text.split("|")]
        for subset in SUBSETS
        if (text := getattr(folders, subset))
    }


def declare_subsets(pairs: pd.DataFrame, folders: Folders) -> list[str]:
    """The subset of each pair by its folder; "" for none.

    A pair is in a folder if one of its files is. A folder is given by its path below
    the source, or by the end of that path: ``train`` also matches ``A/train``.

    Args:
        pairs: Pairs, with the manifest's columns ``input`` and ``target``.
        folders: Folders of the subsets; several are written ``a|b``.

    Raises:
        InputError: A folder contains no pair, or a pair is in folders of two subsets.
    """
    named = named_subsets(folders)
    rows = list(zip(pairs["input"], pairs["target"], strict=True))
    found = [_sides_of(files, named) for files in rows]
    _refuse_unused(named, rows)
    for files, subsets in zip(rows, found, strict=True):
        if len(subsets) > 1:
            raise InputError(
                f"splitting.folders: {files[0]!r} with {files[1]!r} is in the "
                f"folders of {' and '.join(subsets)}; pass folders without a common pair"
            )
    return [subsets[0] if subsets else "" for subsets in found]


def _sides_of(files: tuple[str, str], named: Mapping[str, list[str]]) -> list[str]:
    return [
        subset
        for subset, folders in named.items()
        if any(_lies_in(file, folder) for file in files for folder in folders)
    ]


def _lies_in(file: str, folder: str) -> bool:
    return f"/{folder}/" in f"/{PurePosixPath(file).parent.as_posix()}/"


def _refuse_unused(named: Mapping[str, list[str]], rows: list[tuple[str, str]]) -> None:
    for subset, folders in named.items():
        for folder in folders:
            if not any(_lies_in(file, folder) for files in rows for file in files):
                raise InputError(
                    f"splitting.folders.{subset}: no pair is in a folder {folder!r}; "
                    f"there is one in {PurePosixPath(rows[0][0]).parent.as_posix()!r}"
                    if rows
                    else f"splitting.folders.{subset}: there are no pairs at all"
                )
