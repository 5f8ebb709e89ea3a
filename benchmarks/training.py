"""Speed of training, translation and scoring. Prints Markdown tables.

The training step of this project is compared with the plain step of ``reference.py``; the
two take turns in one run, each in a separate process. The share of peak is relative to
the throughput of a large matrix product in the same precision. Further tables show the
time that a whole training spends outside its steps, and its memory. Run it with

    python benchmarks/training.py --write docs/performance.md
"""

import argparse
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pages import write_section
from reference import read_settings, reference_step
from torch import Tensor, nn

from image_translation.common.memory import keep_freed_memory
from image_translation.metrics import score_stream
from image_translation.networks import PatchGAN, build_network, count_gmac
from image_translation.pairing.arrays import PairArrays
from image_translation.training import loop
from image_translation.training.batches import Batch
from image_translation.training.devices import Device, pick_device
from image_translation.training.fitting import fit
from image_translation.training.inference import translate
from image_translation.training.loop import train_batch
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState

SIZES = (64, 128, 256)
BATCHES = (1, 4, 16)
MODELS = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
ROUNDS = 3
SECONDS_A_ROUND = 1.0
MATRIX = 4096
LOOP_EPOCHS, LOOP_BATCHES = 5, 8
BACKWARD = 2  # cost of a backward pass, in forward passes

Turn = Callable[[], object]


def our_step(
    settings: ModelSettings, images: Tensor, targets: Tensor, device: Device
) -> Turn:
    """A training step of this project."""
    state = TrainingState.start(settings, images.shape[-1], 0, device.kind)
    last = {"memory_format": torch.channels_last}
    inputs, wanted = images.to(**last), targets.to(**last)
    batch = Batch(inputs, wanted, len(inputs))
    return lambda: train_batch(state, batch, settings, device)


def serve(connection: Connection, what: str, task: tuple[str, int, int, int]) -> None:
    """Run one kind of step in this process on request, until False arrives."""
    model, channels, size, batch = task
    settings, device = read_settings(model, channels), pick_device()
    torch.manual_seed(0)
    images = torch.rand(batch, 3, size, size, device=device.kind) * 2 - 1
    if what == "ours":
        if device.kind == "cpu":
            keep_freed_memory()
        step = our_step(settings, images, -images, device)
    else:
        _, train = reference_step(settings, size, device=device.kind)
        step = partial(train, images, -images)
    step()
    step()
    connection.send("ready")
    while connection.recv():
        connection.send((time_step(step, device), peak_memory(device)))


def time_step(step: Turn, device: Device) -> float:
    """Mean seconds per step over one round."""
    synchronize(device)
    started, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - started < SECONDS_A_ROUND:
        step()
        synchronize(device)
        count += 1
    return (time.perf_counter() - started) / count


def take_turns(task: tuple[str, int, int, int]) -> dict[str, tuple[float, float]]:
    """Seconds (best round) and MiB of both steps, which take turns."""
    context = multiprocessing.get_context("spawn")
    connections, processes = {}, []
    for what in ("reference", "ours"):
        connections[what], other = context.Pipe()
        process = context.Process(target=serve, args=(other, what, task), daemon=True)
        process.start()
        processes.append(process)
        connections[what].recv()  # warm up one process at a time
    found: dict[str, list[tuple[float, float]]] = {what: [] for what in connections}
    for _ in range(ROUNDS):
        for what, connection in connections.items():
            connection.send(True)
            found[what].append(connection.recv())
    for connection in connections.values():
        connection.send(False)
    for process in processes:
        process.join()
    return {
        what: (min(seconds for seconds, _ in rounds), rounds[-1][1])
        for what, rounds in found.items()
    }


def synchronize(device: Device) -> None:
    """Wait for the GPU, if any."""
    if device.kind == "cuda":
        torch.cuda.synchronize()


def measure_peak(device: Device) -> float:
    """GFLOP/s of a large matrix product in the precision in use."""
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    factor = torch.randn(MATRIX, MATRIX, device=device.kind).to(dtype)
    factor @ factor
    best = min(time_step(lambda: factor @ factor, device) for _ in range(ROUNDS))
    return 2 * MATRIX**3 / best / 1e9


def count_step(settings: ModelSettings, size: int) -> float:
    """GMAC per image of a training step."""
    network = settings.network
    generator = build_network(network.name, size, network.base_channels)
    gmac = count_gmac(generator, size) * (1 + BACKWARD)
    if not settings.objective.adversarial:
        return gmac
    discriminator = count_discriminator(settings.objective.discriminator_channels, size)
    # Discriminator step: forward and backward for real and generated pairs. Generator
    # step: forward, and the gradient with respect to the input, half of a backward pass.
    return gmac + discriminator * (2 * (1 + BACKWARD) + 1 + 1)


def count_discriminator(channels: int, size: int) -> float:
    """GMAC of one forward pass of the discriminator."""
    discriminator, macs = PatchGAN(channels, size).eval(), []

    def count(layer: nn.Conv2d, _: object, out: Tensor) -> None:
        macs.append(out[0, 0].numel() * layer.weight.numel())

    modules = discriminator.modules()
    layers = [module for module in modules if isinstance(module, nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    image = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        discriminator(image, image)
    for hook in hooks:
        hook.remove()
    return sum(macs) / 1e9


def bench_steps(
    model: str, channels: int, sizes: list[int], batches: list[int], peak: float
) -> list[str]:
    """Table rows, one per image size and batch size."""
    rows = []
    for size in sizes:
        gmac = count_step(read_settings(model, channels), size)
        for batch in batches:
            found = take_turns((model, channels, size, batch))
            speed = {what: batch / seconds for what, (seconds, _) in found.items()}
            share = 2 * gmac * speed["ours"] / peak
            rows.append(
                f"| {model} | {size} | {batch} | {speed['reference']:.2f} | "
                f"{speed['ours']:.2f} | {speed['ours'] / speed['reference']:.2f} | "
                f"{share:.0%} | {found['reference'][1]:.0f} | {found['ours'][1]:.0f} |"
            )
            print(rows[-1], flush=True)
    return rows


def peak_memory(device: Device) -> float:
    """Peak memory so far in MiB, on the GPU or of this process."""
    if device.kind == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train_whole(connection: Connection, task: tuple[str, int, int, int]) -> None:
    """Train as the pipeline does, in this process.

    Sends the share of time outside the steps, over all epochs except the first, and the
    anonymous memory in MiB at the end of every epoch.
    """
    model, channels, size, batch = task
    settings, device = read_settings(model, channels), pick_device()
    changes = {"epochs": LOOP_EPOCHS, "batch_size": batch}
    training = settings.training.model_copy(update=changes)
    settings = settings.model_copy(update={"training": training})
    watch = Watch(device)
    loop.train_batch = watch.train_batch
    with tempfile.TemporaryDirectory() as folder:
        sides = [
            save_pairs(Path(folder), count, size)
            for count in (LOOP_BATCHES * batch, batch)
        ]
        fit(settings, *sides, Path(folder) / "model", observers=[watch])
    spent = sum(watch.loop[1:])
    connection.send((1 - sum(watch.steps[1:]) / spent, watch.memory))


class Watch:
    """Observer of a training that times its steps and epochs."""

    def __init__(self, device: Device) -> None:
        self.steps, self.loop, self.memory = [0.0], [], []
        self._device = device

    def train_batch(self, *arguments: object, **options: object) -> Tensor:
        """Time a step until it is complete."""
        started = time.perf_counter()
        sums = train_batch(*arguments, **options)
        synchronize(self._device)
        self.steps[-1] += time.perf_counter() - started
        return sums

    def on_epoch(self, _: int, metrics: dict[str, float], __: object) -> None:
        """Record the epoch and begin a new one."""
        if not metrics:
            return
        self.loop.append(metrics["seconds"])
        self.steps.append(0.0)
        self.memory.append(anonymous_memory())

    def on_start(self, *_: object) -> None:
        """Nothing to do."""

    def on_end(self, _: object) -> None:
        """Nothing to do."""


def save_pairs(folder: Path, count: int, size: int) -> PairArrays:
    """Random pairs in memory-mapped files, like the prepared pairs of a task."""
    pixels = np.random.default_rng(0).integers(
        0, 256, (count, size, size, 3), dtype=np.uint8
    )
    path = folder / f"{count}.npy"
    np.save(path, pixels)
    mapped = np.load(path, mmap_mode="r")
    index = pd.DataFrame({"pair_id": range(count), "group": range(count)})
    return PairArrays(mapped, mapped, index, "random")


def anonymous_memory() -> float:
    """Anonymous memory of this process in MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def bench_loop(channels: int) -> list[str]:
    """Table rows: time outside the steps, and memory after each epoch."""
    context, rows = multiprocessing.get_context("spawn"), []
    for task in (("pix2pix", channels, 128, 16), ("pix2pix", channels, 256, 4)):
        here, there = context.Pipe()
        process = context.Process(target=train_whole, args=(there, task))
        process.start()
        outside, memory = here.recv()
        process.join()
        model, _, size, batch = task
        held = ", ".join(f"{mib:.0f}" for mib in memory)
        rows.append(f"| {model} | {size} | {batch} | {outside:.1%} | {held} |")
        print(rows[-1], flush=True)
    return rows


def bench_inference(channels: int, sizes: list[int]) -> list[str]:
    """Table rows: images per second of the pipeline's translation, and of scoring."""
    device, rows = pick_device(), []
    for size in sizes:
        settings = read_settings("pix2pix", channels)
        state = TrainingState.start(settings, size, 0, device.kind)
        count = max(16, 64 * 64 * 64 // size**2)
        images = np.random.default_rng(0).integers(
            0, 256, (count, size, size, 3), dtype=np.uint8
        )
        started = time.perf_counter()
        predictions = list(translate(state.generator, images, settings.inference))
        translated = time.perf_counter()
        score_stream(predictions, images)
        scored = time.perf_counter()
        rows.append(
            f"| {size} | {count / (translated - started):.1f} | "
            f"{count / (scored - translated):.1f} |"
        )
        print(rows[-1], flush=True)
    return rows


def describe_machine(peak: float) -> str:
    """Describe the machine."""
    device = pick_device()
    name = platform.processor() or platform.machine()
    if device.kind == "cuda":
        name = torch.cuda.get_device_name()
    able = [name for name, has in torch.cpu.get_capabilities().items() if has is True]
    return (
        f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"precision {device.precision}; a {MATRIX}×{MATRIX} matrix product reaches "
        f"{peak:,.0f} GFLOP/s. CPU: {', '.join(sorted(able))}."
    )


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    peak = measure_peak(pick_device())
    text = [describe_machine(peak), "", "## Training steps", ""]
    text += [
        "| model | px | batch | reference, images/s | ours, images/s | ratio | "
        "share of peak | reference, MiB | ours, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(text))
    for model in arguments.models:
        text += bench_steps(
            model, arguments.channels, arguments.sizes, arguments.batches, peak
        )
    text += ["", "## A whole training", ""]
    text += [
        "| model | px | batch | time outside forward, backward and step | "
        "anonymous memory after each epoch, MiB |",
        "|---|---|---|---|---|",
    ]
    text += bench_loop(arguments.channels)
    text += ["", "## Translation and scoring", ""]
    text += ["| px | translated, images/s | scored, images/s |", "|---|---|---|"]
    text += bench_inference(arguments.channels, arguments.sizes)
    if arguments.write:
        write_section(arguments.write, "training", text)


if __name__ == "__main__":
    main()
