"""Progress of long operations: a bar on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 15.0


def progress(
    iterable: Iterable[T],
    description: str,
    total: int,
    unit: str,
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """Iterate over the items and report progress.

    On a terminal this shows a bar. Otherwise it logs a line at most every
    ``SECONDS_BETWEEN_LINES`` seconds, and no line for shorter operations.

    Args:
        iterable: Items to iterate over.
        description: Name of the operation, such as ``"checking images"``.
        total: Total number of units.
        unit: Unit in the plural, such as ``"images"``.
        size: Number of units of an item; 1 by default.
    """
    start = last = time.monotonic()
    done, is_terminal = 0, sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=description,
        unit=f" {unit}",
        leave=False,
        disable=not is_terminal,
    ) as bar:
        for item in iterable:
            yield item
            done += size(item)
            bar.update(size(item))
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES and not is_terminal:
                last = now
                rate = done / (now - start)
                line = "%s: %d of %d %s, %.1f per second"
                logger.info(line, description, done, total, unit, rate)
