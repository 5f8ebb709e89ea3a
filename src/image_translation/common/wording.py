"""Counts and lists of words in sentences."""

from collections.abc import Iterable


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 image``, ``1,200 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def count_between(low: int, high: int, one: str) -> str:
    """A range of numbers with its noun: ``3 images``, ``2 to 3 images``."""
    counted = count(high, one)
    return counted if low == high else f"{low:,} to {counted}"


def join_words(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
