r"""Text in CSV files that people open in a spreadsheet.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
return as a formula, so a file name could run one. Such text is written after a backslash,
and read without it. Text that begins with backslashes before such a character gets one
more, so every text is read as it was. An apostrophe would serve as well, but names begin
with one more often.

Numbers are not text and stay as they are. ``variants.csv`` and ``history.csv`` contain no
text from outside; ``.translations.jsonl`` and votes are JSON.
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
    r"""A cell that no spreadsheet runs.

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
    """Write a frame as CSV; returns the text without a path.

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
