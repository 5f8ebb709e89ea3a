"""Groups: pairs that are not independent of each other."""

from collections.abc import Iterable, Sequence

import pandas as pd

Labels = Iterable[str]


def connect(*columns: Labels) -> list[int]:
    """Number the groups of rows that are connected, directly or through others.

    Args:
        *columns: Labels by row, all columns of the same length. Two rows with the same
            label in a column are connected; empty labels connect nothing.

    Returns:
        The group of each row: the number of its first row.

    >>> connect(["a", "b", "b", ""], ["x", "x", "y", ""])
    [0, 0, 0, 3]
    """
    rows = [list(column) for column in columns]
    parents = list(range(len(rows[0])))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for column in rows:
        first: dict[str, int] = {}
        for row, label in enumerate(column):
            if label:
                one, other = root(first.setdefault(label, row)), root(row)
                parents[max(one, other)] = min(one, other)
    return [root(row) for row in range(len(parents))]


def name_groups(
    own: pd.Series, given: Labels, ties: Sequence[Labels] = ()
) -> pd.Series:
    """Name the groups of connected pairs.

    Args:
        own: Name of each pair as a group of its own, such as its id.
        given: Labels that connect pairs and are names of groups.
        ties: Columns of labels that only connect pairs.

    Returns:
        The group's name by row: its smallest given label, or else its smallest own
        name.
    """
    given = list(given)
    numbers = connect(given, *ties)
    labels, names = _smallest(numbers, given), _smallest(numbers, own)
    return pd.Series([labels.get(n, names[n]) for n in numbers], own.index, dtype=str)


def _smallest(numbers: list[int], column: Labels) -> dict[int, str]:
    smallest: dict[int, str] = {}
    for number, label in zip(numbers, column, strict=True):
        if label:
            smallest[number] = min(label, smallest.get(number, label))
    return smallest
