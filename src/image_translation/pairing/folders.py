"""Sides of the split that are taken from folders which the data brings."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pandas as pd

from image_translation.errors import InputError
from image_translation.pairing.settings import Folders

SIDES = ("train", "validation", "test")
"""The sides of a split, the most held-out last."""


def named_sides(folders: Folders) -> dict[str, list[str]]:
    """The folders of each side that has any."""
    return {
        side: [name.strip("/") for name in text.split("|")]
        for side in SIDES
        if (text := getattr(folders, side))
    }


def declare_sides(pairs: pd.DataFrame, folders: Folders) -> list[str]:
    """The side whose folder each pair lies in; "" for none.

    A pair lies in a folder when one of its files does. A folder is named by its path
    below the source, or by the end of that path: ``train`` is also ``A/train``.

    Args:
        pairs: Pairs, with the manifest's columns ``input`` and ``target``.
        folders: Folders of the sides; several are written ``a|b``.

    Raises:
        InputError: A folder holds no pair, or a pair lies in folders of two sides.
    """
    named = named_sides(folders)
    rows = list(zip(pairs["input"], pairs["target"], strict=True))
    found = [_sides_of(files, named) for files in rows]
    _refuse_unused(named, rows)
    for files, sides in zip(rows, found, strict=True):
        if len(sides) > 1:
            raise InputError(
                f"splitting.folders: {files[0]!r} with {files[1]!r} lies in the "
                f"folders of {' and '.join(sides)}; name folders that have no pair in "
                "common"
            )
    return [sides[0] if sides else "" for sides in found]


def _sides_of(files: tuple[str, str], named: Mapping[str, list[str]]) -> list[str]:
    return [
        side
        for side, folders in named.items()
        if any(_lies_in(file, folder) for file in files for folder in folders)
    ]


def _lies_in(file: str, folder: str) -> bool:
    return f"/{folder}/" in f"/{PurePosixPath(file).parent.as_posix()}/"


def _refuse_unused(named: Mapping[str, list[str]], rows: list[tuple[str, str]]) -> None:
    for side, folders in named.items():
        for folder in folders:
            if not any(_lies_in(file, folder) for files in rows for file in files):
                raise InputError(
                    f"splitting.folders.{side}: no pair lies in a folder {folder!r}; "
                    f"there is one in {PurePosixPath(rows[0][0]).parent.as_posix()!r}"
                    if rows
                    else f"splitting.folders.{side}: there are no pairs at all"
                )
