"""Groups: pairs that are not independent of each other."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd
import scipy

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
    links: list[tuple[int, int]] = []
    for column in rows:
        first: dict[str, int] = {}
        links += [
            (first.setdefault(label, row), row)
            for row, label in enumerate(column)
            if label
        ]
    return connect_rows(links, len(rows[0]))


def connect_rows(links: Collection[tuple[int, int]], count: int) -> list[int]:
    """Number the groups of rows that are linked, directly or through others.

    Args:
        links: Pairs of linked rows.
        count: Number of rows.

    Returns:
        The group of each row: the number of its first row.
    """
    ones, others = np.array(list(links), int).reshape(-1, 2).T
    graph = scipy.sparse.coo_array(
        (np.ones(len(ones)), (ones, others)), shape=(count, count)
    )
    _, parts = scipy.sparse.csgraph.connected_components(graph, directed=False)
    _, first_rows = np.unique(parts, return_index=True)
    return first_rows[parts].tolist()


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
