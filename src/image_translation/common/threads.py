"""Process many files in parallel, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT_PER_THREAD = 4


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Apply a function in threads; results are in the order of the items.

    Decoding, resizing and hashing release the GIL, so threads suffice. Only a few
    results are buffered at a time.
    """
    threads = max(2, usable_cores())
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pairs")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= threads * _IN_FLIGHT_PER_THREAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not available on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
