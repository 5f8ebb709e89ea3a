"""Labels: the user's definition of groups."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import require_regular
from image_translation.pairing.settings import SplittingSettings

logger = logging.getLogger(__name__)

COLUMN_PREFIX = "column:"
"""Prefix of ``splitting.groups`` if it names a column instead of a pattern."""


def find_labels(
    pairs: pd.DataFrame, settings: SplittingSettings, root: Path
) -> list[str]:
    """The user's label of every pair; pairs with the same label form a group.

    Args:
        pairs: Pairs, with the manifest's columns ``input`` and ``target``.
        settings: ``groups`` is a pattern whose capture in the input's path is the
            label, or ``column:<name>`` of the CSV file ``table``, whose first column
            contains file names: paths below ``root``, names, or stems, of input or
            target.
        root: Folder of the source's files; ``table`` is relative to it.

    Returns:
        The labels by row, "" for a pair without a label.

    Raises:
        InputError: The pattern or the table is invalid, or matches no pair.
    """
    if not settings.groups:
        return [""] * len(pairs)
    if settings.groups.startswith(COLUMN_PREFIX):
        column = settings.groups.removeprefix(COLUMN_PREFIX)
        labels = _look_up(pairs, _read_column(settings.table, column, root))
    else:
        labels = _match_pattern(pairs["input"], settings.groups)
    missed = labels.count("")
    if labels and missed == len(labels):
        raise InputError(
            f"splitting.groups: {settings.groups!r} matches none of the {missed} inputs, "
            f"such as {pairs['input'].iloc[0]!r}"
        )
    if missed:
        logger.warning(
            "splitting.groups does not match %s", wording.count(missed, "pair")
        )
    return labels


def _match_pattern(paths: pd.Series, pattern: str) -> list[str]:
    """The pattern's capture in each path without its suffix; "" without a match."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        message = f"splitting.groups: {pattern!r} is not a valid pattern: {error}"
        raise InputError(message) from error
    if compiled.groups != 1:
        raise InputError(
            f"splitting.groups: {pattern!r} must have one group in parentheses, which "
            "captures the label of a path"
        )
    matches = [compiled.search(path.rpartition(".")[0]) for path in paths]
    return [(match.group(1) or "") if match else "" for match in matches]


def _read_column(table: str | None, column: str, root: Path) -> Mapping[str, str]:
    """The labels in a column of a table, by the file names in its first column."""
    if table is None:
        raise InputError(
            f"splitting.groups: {COLUMN_PREFIX}{column} needs splitting.table, the CSV "
            "file that has the column; its first column contains file names"
        )
    path = root / Path(table).expanduser()
    try:
        frame = pd.read_csv(require_regular(path), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"splitting.table: {path} cannot be read as CSV ({error}); pass a path, "
            "absolute or relative to the source's folder"
        ) from error
    if column not in frame.columns[1:]:
        raise InputError(
            f"splitting.groups: {path} has no column {column!r} besides the one with "
            f"file names, {frame.columns[0]!r}; it has "
            f"{', '.join(map(repr, frame.columns[1:])) or 'no other'}"
        )
    return dict(zip(frame.iloc[:, 0], frame[column], strict=True))


def _look_up(pairs: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    return [
        next((labels[name] for name in _names(*files) if labels.get(name)), "")
        for files in zip(pairs["input"], pairs["target"], strict=True)
    ]


def _names(*files: str) -> list[str]:
    """Possible names of a file in a table, the most specific first."""
    paths = [PurePosixPath(file) for file in files]
    return [*files, *(path.name for path in paths), *(path.stem for path in paths)]
