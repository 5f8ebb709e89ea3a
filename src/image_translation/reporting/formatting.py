"""Format numbers and lists for readers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from image_translation.common import wording
from image_translation.metrics import MEASURES, format_value

NOTHING = "–"
"""Placeholder of a missing value."""


def title(name: str) -> str:
    """A task's name as a title: ``Hidden digits``."""
    return name.replace("_", " ").capitalize()


def label(metric: str) -> str:
    """Name of a metric in text."""
    return MEASURES[metric].label


def labels(metrics: Iterable[str]) -> str:
    """Names of several metrics in text."""
    return wording.join_words(label(metric) for metric in metrics)


def value(metric: str, number: float) -> str:
    """A metric's value with its unit, or a dash if missing."""
    if pd.isna(number):
        return NOTHING
    return _kept_together(format_value(metric, float(number)))


def signed(metric: str, number: float) -> str:
    """A difference in a metric's unit, with its sign."""
    if pd.isna(number):
        return NOTHING
    sign = "+" if number > 0 else "−" if number < 0 else "±"
    return sign + _kept_together(format_value(metric, abs(float(number))))


def interval(metric: str, low: float, high: float, *, signs: bool = False) -> str:
    """An interval in a metric's unit: ``21.3 to 24.0 dB``; empty if missing."""
    if pd.isna(low) or pd.isna(high):
        return ""
    write = signed if signs else value
    first = write(metric, low).removesuffix(MEASURES[metric].unit).rstrip()
    return f"{first} to {write(metric, high)}"


def value_range(metric: str) -> str:
    """Range of a metric: ``0 to ∞``."""
    low, high = (
        _minus(f"{end:g}").replace("inf", "∞") for end in MEASURES[metric].range
    )
    return f"{low} to {high}"


def p_value(number: float) -> str:
    """A p-value with three decimals, never zero."""
    if pd.isna(number):
        return NOTHING
    return "< 0.001" if number < 0.001 else f"{number:.3f}"


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return NOTHING if pd.isna(share) else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """Seconds as ``41 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if pd.isna(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02d} min"


def quantity(number: Any, *, unit: float = 1, suffix: str = "") -> str:
    """A number with three significant digits, in multiples of ``unit``."""
    if pd.isna(number):
        return NOTHING
    scaled = float(number) / unit
    digits = 0 if scaled == 0 else max(0, 2 - math.floor(math.log10(abs(scaled))))
    return f"{scaled:,.{min(digits, 6)}f}{suffix}"


def whole(number: Any) -> str:
    """A whole number, or a dash; text is returned unchanged."""
    if isinstance(number, str):
        return number or NOTHING
    return NOTHING if pd.isna(number) else f"{int(number):,}"


def text(entry: Any) -> str:
    """Any table entry as text; empty if missing."""
    missing = pd.api.types.is_scalar(entry) and pd.isna(entry)
    return "" if missing else str(entry)


def setting_values(settings: Mapping[str, object], name: str) -> list[str]:
    """The distinct values of a setting, over all blocks that have it.

    Args:
        settings: Dotted name → value.
        name: The end of a dotted name, such as ``training.seed``.
    """
    found = (
        str(entry)
        for key, entry in sorted(settings.items())
        if key == name or key.endswith(f".{name}")
    )
    return list(dict.fromkeys(found))


def _kept_together(number: str) -> str:
    """A number with a non-breaking space before its unit."""
    return _minus(number).replace(" ", "\u00a0")


def _minus(number: str) -> str:
    return "−" + number[1:] if number.startswith("-") else number
