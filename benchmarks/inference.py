"""Inference speed of a generator, with one optimization after the other.

Each form of the network runs in a separate process, and the processes take turns. Speed
and 8-bit outputs are compared with the first form, the plain network in eager torch and
float32. The share of peak is relative to the throughput of a large matrix product on
the same machine. On a busy machine, ``--cpu-time --threads 1`` is more reliable than
wall-clock time. Run it with

    python benchmarks/inference.py --write docs/performance.md
"""

import argparse
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from pages import write_section
from torch import nn

from image_translation.networks import build_network, count_gmac
from image_translation.networks.acceleration import accelerate, fold_batch_norms
from image_translation.training.inference import prepare, translate_prepared
from image_translation.training.settings import InferenceSettings
from image_translation.training.tensors import to_tensor, to_uint8

BATCHES = (1, 4, 16)
MATRIX = 4096
MIN_AGREEMENT = 50.0
PROTOCOL = InferenceSettings(
    batch_size=16, dropout=False, batch_statistics=False, flips=False
)

Clock = Callable[[], float]
Task = tuple[str, int, int, int, Clock]
Turn = Callable[[np.ndarray], np.ndarray]


def make_generator(name: str, size: int, channels: int) -> nn.Module:
    """Network that resembles a trained one: random statistics and varied outputs."""
    torch.manual_seed(0)
    network = build_network(name, size, channels)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def plain(generator: nn.Module, _: int) -> Turn:
    """Unmodified network."""

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return to_uint8(generator(to_tensor(images).contiguous()))

    return run


def folded(generator: nn.Module, _: int) -> Turn:
    """Batch norms folded into convolutions, in inference mode."""
    return _inference(fold_batch_norms(generator), torch.contiguous_format)


def channels_last(generator: nn.Module, _: int) -> Turn:
    """Also with the memory format ``channels_last``."""
    network = fold_batch_norms(generator).to(memory_format=torch.channels_last)
    return _inference(network, torch.channels_last)


def split(generator: nn.Module, _: int) -> Turn:
    """Also with transposed convolutions replaced by plain ones."""
    return _inference(accelerate(generator), torch.channels_last)


def in_torch(generator: nn.Module, _: int) -> Turn:
    """As the pipeline translates, which also keeps freed memory for the next batch."""
    return _translation(prepare(generator, PROTOCOL))


def exported(generator: nn.Module, size: int) -> Turn:
    """As the pipeline translates with the ONNX file of ``--pipeline=export``."""
    from image_translation.export import formats
    from image_translation.translation.runtime import ExportedNetwork

    with tempfile.TemporaryDirectory() as folder:
        formats.write_onnx(generator, size, Path(folder) / formats.ONNX)
        model = formats.load_onnx(Path(folder) / formats.ONNX)
    return _translation(ExportedNetwork(model))


def compiled(generator: nn.Module, _: int) -> Turn:
    """torch.compile with frozen weights; requires a C++ compiler."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    return _inference(torch.compile(generator), torch.channels_last)


FORMS: dict[str, Callable[[nn.Module, int], Turn]] = {
    "plain torch": plain,
    "batch norms folded": folded,
    "and channels last": channels_last,
    "and no transposed convolution": split,
    "translate": in_torch,
    "translate, exported (ONNX Runtime)": exported,
    "torch.compile": compiled,
}


def _translation(network: nn.Module) -> Turn:
    return lambda images: next(translate_prepared(network, images, PROTOCOL))


def _inference(network: nn.Module, layout: torch.memory_format) -> Turn:
    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        return to_uint8(network(to_tensor(images).contiguous(memory_format=layout)))

    return run


def serve(connection: Connection, name: str, task: Task) -> None:
    """Receive batch sizes; send the seconds and outputs of one form, until 0 arrives."""
    network, size, channels, threads, clock = task
    torch.set_num_threads(threads)
    run = FORMS[name](make_generator(network, size, channels), size)
    connection.send("ready")
    while batch := connection.recv():
        images = make_images(batch, size)
        started = clock()
        outputs = run(images)
        connection.send((clock() - started, outputs))


def make_images(count: int, size: int) -> np.ndarray:
    """Random images, the same in every process."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def take_turns(
    forms: list[str], task: Task, batches: list[int], rounds: int
) -> dict[int, dict[str, tuple[float, float]]]:
    """Seconds per batch and agreement with the first form in dB, by batch and form."""
    context = multiprocessing.get_context("spawn")
    connections, processes = {}, []
    for name in forms:
        connections[name], there = context.Pipe()
        process = context.Process(target=serve, args=(there, name, task), daemon=True)
        process.start()
        processes.append(process)
        connections[name].recv()
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for batch in batches:
        seconds: dict[str, list[float]] = {name: [] for name in forms}
        outputs = {}
        for _ in range(rounds + 1):
            for name, connection in connections.items():
                connection.send(batch)
                spent, outputs[name] = connection.recv()
                seconds[name].append(spent)
        found[batch] = {
            name: (
                min(seconds[name][1:]),  # the first one warms up
                agreement_in_db(outputs[name], outputs[forms[0]]),
            )
            for name in forms
        }
    for connection in connections.values():
        connection.send(0)
    for process in processes:
        process.join()
    return found


def agreement_in_db(outputs: np.ndarray, expected: np.ndarray) -> float:
    """PSNR between 8-bit images."""
    error = np.square(outputs.astype(float) - expected).mean()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def measure_peak(threads: int, clock: Clock) -> float:
    """GFLOP/s of a large matrix product in float32."""
    torch.set_num_threads(threads)
    factor, best = torch.randn(MATRIX, MATRIX), math.inf
    for _ in range(3):
        started = clock()
        factor @ factor
        best = min(best, clock() - started)
    return 2 * MATRIX**3 / best / 1e9


def table_rows(
    found: dict[int, dict[str, tuple[float, float]]], gmac: float, peak: float
) -> list[str]:
    """Format and print the rows of the table."""
    rows = []
    for batch, forms in found.items():
        first, *_ = (seconds for seconds, _ in forms.values())
        for name, (seconds, agreement) in forms.items():
            share = 2 * gmac * batch / seconds / peak
            rows.append(
                f"| {batch} | {name} | {batch / seconds:.2f} | {first / seconds:.2f} | "
                f"{share:.0%} | {agreement:.1f} |"
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="unet", choices=("unet", "autoencoder"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument(
        "--cpu-time", action="store_true", help="measure CPU time, not wall-clock time"
    )
    parser.add_argument("--compile", action="store_true", help="include torch.compile")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    forms = [
        name
        for name, form in FORMS.items()
        if (form is not exported or find_spec("onnxruntime"))
        and (form is not compiled or arguments.compile)
    ]
    task = (
        arguments.network,
        arguments.size,
        arguments.channels,
        arguments.threads,
        time.process_time if arguments.cpu_time else time.perf_counter,
    )
    gmac = count_gmac(make_generator(*task[:3]), arguments.size)
    peak = measure_peak(arguments.threads, task[-1])
    head = (
        f"{arguments.network}, {arguments.size} px, first block of {arguments.channels} "
        f"channels, {gmac:.2f} GMAC an image; threads: {arguments.threads}, "
        f"{'CPU' if arguments.cpu_time else 'wall-clock'} time, torch "
        f"{torch.__version__}, fp32; a {MATRIX}×{MATRIX} matrix product reaches "
        f"{peak:.0f} GFLOP/s, which would be {peak / 2 / gmac:.1f} images/s."
    )
    print(head, flush=True)
    found = take_turns(forms, task, arguments.batches, arguments.rounds)
    table = [
        "| batch | form | images/s | times plain | share of peak | agreement, dB |",
        "|---|---|---|---|---|---|",
        *table_rows(found, gmac, peak),
    ]
    if arguments.write:
        write_section(arguments.write, "inference", [head, "", *table])
    worst = min(db for forms in found.values() for _, db in forms.values())
    if worst < MIN_AGREEMENT:
        raise SystemExit(
            f"outputs agree to {worst:.1f} dB only; {MIN_AGREEMENT} dB are required"
        )


if __name__ == "__main__":
    main()
