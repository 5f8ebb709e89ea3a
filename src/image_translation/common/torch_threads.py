"""The number of torch's CPU threads, adapted to the load of the machine.

Every layer of a network is a barrier for torch's threads. On a busy machine one of them
is always waiting for a core, and the others wait for it: two threads beside two busy
processes are up to ten times slower than one. One thread never waits for another.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

logger = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds of computation between decisions. The start of another command is shorter."""

QUIET_SHARE = 0.7
"""Share of the time for which a computing thread has a core on a quiet machine, at least.

Measured with two threads on two cores: 0.82 to 0.97; beside two busy processes at most
0.5.
"""

_PROBE_SECONDS = 0.1
_BLOCK = bytes(2**18)


def count_free_cores(wanted: int) -> int:
    """Number of cores that are free for this process, from 1 to ``wanted``.

    Computes in as many threads for a tenth of a second and adds up their CPU time.
    """
    with ThreadPoolExecutor(wanted) as pool:
        shares = list(pool.map(_measure_share, [_PROBE_SECONDS] * wanted))
    if min(shares) >= QUIET_SHARE:
        return wanted
    return max(1, int(sum(shares)))


def _measure_share(seconds: float) -> float:
    started, cpu_started = time.perf_counter(), time.thread_time()
    while time.perf_counter() - started < seconds:
        hashlib.sha256(_BLOCK)  # releases the interpreter's lock
    return (time.thread_time() - cpu_started) / (time.perf_counter() - started)


class TorchThreads:
    """Uses fewer of torch's threads while other processes occupy the cores.

    The order of additions in a training depends on the number of threads, and with it the
    last digits of the weights. Therefore a short disturbance changes nothing.
    """

    def __init__(self) -> None:
        self._most: int | None = None
        self._is_fixed = False
        self._seconds = self._cpu_seconds = 0.0

    @contextmanager
    def fixed(self, threads: int | None) -> Iterator[None]:
        """Compute in a given number of threads, whatever the load; None: adapt."""
        if threads is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        self._is_fixed = True
        try:
            yield
        finally:
            self._is_fixed = False
            torch.set_num_threads(before)

    @contextmanager
    def adapted(self, device: str) -> Iterator[None]:
        """Measure a step of a computation, and adapt the number of threads after it.

        At most as many threads are used as torch would use by itself, or as
        ``OMP_NUM_THREADS`` says.

        Args:
            device: Type of the device that computes; only ``cpu`` is measured.
        """
        started, cpu_started = time.perf_counter(), time.thread_time()
        yield
        if self._is_fixed or device != "cpu":
            return
        self._seconds += time.perf_counter() - started
        self._cpu_seconds += time.thread_time() - cpu_started
        if self._seconds >= PERIOD:
            share = self._cpu_seconds / self._seconds
            self._seconds = self._cpu_seconds = 0.0
            self._decide(share)

    def _decide(self, share: float) -> None:
        threads = torch.get_num_threads()
        self._most = most = self._most or threads
        if threads == most and share >= QUIET_SHARE:
            return
        free = count_free_cores(most)
        if free != threads:
            torch.set_num_threads(free)
            state = "free again" if free > threads else "occupied by other processes"
            logger.info("cores are %s: continuing with %d of %d", state, free, most)


torch_threads = TorchThreads()
"""Of this process."""
