import pytest
import torch

from image_translation.common import torch_threads as module
from image_translation.common.torch_threads import (
    PERIOD,
    TorchThreads,
    count_free_cores,
)


class Machine:
    """A clock, and the share of it for which this process has a core."""

    def __init__(self):
        self.now = self.cpu = 0.0
        self.share, self.free, self.probes = 1.0, 2, 0

    def perf_counter(self):
        return self.now

    def thread_time(self):
        return self.cpu

    def count_free_cores(self, wanted):
        self.probes += 1
        return min(self.free, wanted)

    def compute(self, threads, seconds, device="cpu"):
        for _ in range(10):
            with threads.adapted(device):
                self.now += seconds / 10
                self.cpu += self.share * seconds / 10


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(module, "time", machine)
    monkeypatch.setattr(module, "count_free_cores", machine.count_free_cores)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield machine
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("shares", "free"),
    [
        ([0.97, 0.82], 2),
        ([0.5, 0.5], 1),
        ([0.98, 0.6], 1),
        ([0.3, 0.3], 1),
        ([0.8] * 15 + [0.6], 12),
    ],
)
def test_free_cores_are_those_that_threads_get(monkeypatch, shares, free):
    left = iter(shares)
    monkeypatch.setattr(module, "_measure_share", lambda seconds: next(left))
    assert count_free_cores(len(shares)) == free


def test_one_core_is_always_free():
    assert count_free_cores(1) == 1


def test_share_of_a_computing_thread_is_its_cpu_time():
    assert 0 < module._measure_share(0.02) <= 1.05


def test_quiet_machine_is_not_probed(machine):
    machine.compute(TorchThreads(), 10 * PERIOD)
    assert (torch.get_num_threads(), machine.probes) == (2, 0)


def test_occupied_cores_reduce_the_threads_until_they_are_free(machine, caplog):
    caplog.set_level("INFO")
    threads = TorchThreads()
    machine.share, machine.free = 0.45, 1
    machine.compute(threads, PERIOD)
    assert torch.get_num_threads() == 1
    assert "cores are occupied by other processes: continuing with 1 of 2" in (
        caplog.text
    )
    machine.share = 0.7
    machine.compute(threads, 4 * PERIOD)
    assert torch.get_num_threads() == 1
    machine.share = machine.free = 2
    machine.compute(threads, PERIOD)
    assert torch.get_num_threads() == 2
    assert "cores are free again: continuing with 2 of 2" in caplog.text


def test_short_disturbance_changes_nothing(machine):
    threads = TorchThreads()
    machine.share, machine.free = 0.3, 1
    machine.compute(threads, 0.4 * PERIOD)
    machine.share = 0.95
    machine.compute(threads, 0.6 * PERIOD)
    assert torch.get_num_threads() == 2


def test_low_share_for_another_reason_changes_nothing(machine):
    machine.share = 0.3
    machine.compute(TorchThreads(), PERIOD)
    assert (torch.get_num_threads(), machine.probes) == (2, 1)


def test_waiting_for_a_gpu_changes_nothing(machine):
    machine.share, machine.free = 0.1, 1
    machine.compute(TorchThreads(), 2 * PERIOD, "cuda")
    assert (torch.get_num_threads(), machine.probes) == (2, 0)


def test_fixed_number_is_used_at_any_load(machine):
    threads = TorchThreads()
    machine.share, machine.free = 0.3, 1
    with threads.fixed(3):
        machine.compute(threads, 2 * PERIOD)
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 2
    with threads.fixed(None):
        machine.compute(threads, PERIOD)
    assert torch.get_num_threads() == 1
