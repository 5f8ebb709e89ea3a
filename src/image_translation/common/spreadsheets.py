r"""Protect text in CSV files that people open in a spreadsheet.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
return as a formula, so a file name could run one. Such text is written with a leading
backslash, which is removed when it is read. Text that already begins with backslashes and
such a character gets another backslash, so all text is read unchanged. An apostrophe would
also work, but more names begin with one.

Numbers are not changed. ``variants.csv`` and ``history.csv`` contain no external text, and
``.translations.jsonl`` and votes are JSON, so these files are not protected.
"""

import csv
import re
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

T = TypeVar("T")

_STARTS = "=+\\-@\t\r＝＋－＠"  # spreadsheets also accept the full-width forms
_RISKY = re.compile(rf"\\*[{_STARTS}]")
_PROTECTED = re.compile(rf"\\+[{_STARTS}]")


def protect(value: T) -> T | str:
    r"""Return a cell that no spreadsheet runs as a formula.

    >>> protect("=1+1.png"), protect("a=1.png"), protect(-1)
    ('\\=1+1.png', 'a=1.png', -1)
    """
    is_risky = isinstance(value, str) and _RISKY.match(value)
    return f"\\{value}" if is_risky else value


def restore(value: T) -> T | str:
    """The value that ``protect`` was given."""
    if isinstance(value, str) and _PROTECTED.match(value):
        return value[1:]
    return value


def protect_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with protected text, to be written as CSV."""
    return _change(frame, protect)


def restore_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame that ``protect_frame`` was given."""
    return _change(frame, restore)


def to_csv(frame: pd.DataFrame, path: Path | None = None) -> str | None:
    """Write a protected frame as CSV; without a path, return the text.

    Text is quoted: a carriage return in a name would otherwise end the row.
    """
    return protect_frame(frame).to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)


def read_texts(path: Path) -> pd.DataFrame:
    """Read a CSV file of text; empty cells are empty text."""
    return restore_frame(pd.read_csv(path, dtype=str, keep_default_na=False))


def _change(frame: pd.DataFrame, change: Any) -> pd.DataFrame:
    changed = {}
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column.dtype):
            continue
        values = column.map(change, na_action="ignore")
        if not values.equals(column):
            changed[name] = values.astype(column.dtype)
    if not changed:
        return frame
    result = frame.copy()
    for name, values in changed.items():
        result[name] = values
    return result
