"""Speed of training on a machine that other processes occupy. Prints a Markdown table.

Each model trains alone, beside two and beside four processes that compute all the time,
with a fixed number of threads and with the adapted one (``training.threads``); all take
turns in one run. Speeds are relative to a fixed number on the quiet machine. Run it with

    python benchmarks/shared_machine.py --write docs/performance.md
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from pages import write_section
from reference import read_settings
from training import describe_machine, measure_peak, our_step

from image_translation.common.memory import keep_freed_memory
from image_translation.common.torch_threads import PERIOD, torch_threads
from image_translation.pipeline_registry import MODELS
from image_translation.training.devices import pick_device

SIZES = (64, 128)
BATCH = 16
CHANNELS = 32
BUSY = (0, 2, 4)
SECONDS = 6.0
ROUNDS = 2


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes that each occupy a core."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(step: Callable[[], object], seconds: float, adapt: bool) -> float:
    """Images per second of a step, repeated for at least some seconds."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        with torch_threads.adapted("cpu") if adapt else nullcontext():
            step()
        count += 1
    return count * BATCH / (time.perf_counter() - started)


def compare(model: str, size: int, seconds: float) -> dict[str, float]:
    """Images per second, the best of the rounds, by load and kind of threads."""
    device, settings = pick_device("cpu"), read_settings(model, CHANNELS)
    torch.manual_seed(0)
    images = torch.rand(BATCH, 3, size, size) * 2 - 1
    step = our_step(settings, images, -images, device)
    most = torch.get_num_threads()
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for count in BUSY:
            with busy_processes(count):
                torch.set_num_threads(most)
                fixed = measure(step, seconds, adapt=False)
                measure(step, 1.2 * PERIOD, adapt=True)  # time to adapt
                adapted = measure(step, seconds, adapt=True)
            found.setdefault(f"fixed, {count} busy", []).append(fixed)
            found.setdefault(f"adapted, {count} busy", []).append(adapted)
    torch.set_num_threads(most)
    return {kind: max(speeds) for kind, speeds in found.items()}


def tabulate(models: list[str], sizes: list[int], seconds: float) -> str:
    """The table: images per second, and shares of the quiet speed."""
    rows = []
    for model in models:
        for size in sizes:
            found = compare(model, size, seconds)
            quiet = found.pop("fixed, 0 busy")
            shares = {kind: f"{speed / quiet:.0%}" for kind, speed in found.items()}
            rows.append(
                {"model": model, "px": size, "images/s": f"{quiet:.1f}", **shares}
            )
            print(rows[-1], file=sys.stderr)
    lines = [[*rows[0]], ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    arguments = parser.parse_args()
    keep_freed_memory()
    machine = describe_machine(measure_peak(pick_device("cpu")))
    table = tabulate(arguments.models, arguments.sizes, arguments.seconds)
    print(machine, "", table, sep="\n")
    if arguments.write:
        write_section(arguments.write, "shared machine", [machine, "", table])


if __name__ == "__main__":
    main()
