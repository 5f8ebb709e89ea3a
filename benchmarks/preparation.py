"""Speed and memory of the preparation of pairs. Prints a Markdown table.

The speed is compared with a plain Pillow loop in one process that reads the same files
and writes the same arrays; the two take turns in one run. Memory is the peak of anonymous
memory of the preparing process, for few pairs and for many. Without a folder, the
benchmark cuts 1,500 pairs of grey and colour JPEGs of 150×150 pixels from the embedded
photographs, and repeats them as needed. Run it with

    python benchmarks/preparation.py --pairs 15000 --size 256
"""

import argparse
import hashlib
import multiprocessing
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from image_translation.config.parameters import LayeredConfigLoader
from image_translation.imaging.sample_photographs import write_crops
from image_translation.pairing.arrays import INPUTS, TARGETS
from image_translation.pairing.layouts import form_pairs
from image_translation.pairing.preparation import prepare_pairs
from image_translation.pairing.settings import PairingSettings, PreparationSettings
from image_translation.sources import Source, list_folder

PIXELS = 150
MADE_PAIRS = 1500
ROUNDS = 2


def make_pairs(folder: Path) -> None:
    """Write small grey and colour JPEGs, random crops of photographs."""
    crops = [folder / "crops" / name for name in write_crops(folder / "crops")]
    random = np.random.default_rng(0)
    for side in ("gray", "color"):
        (folder / "pairs" / side).mkdir(parents=True)
    for number in range(MADE_PAIRS):
        with Image.open(crops[number % len(crops)]) as crop:
            large = crop.resize((PIXELS * 4 // 3, PIXELS * 4 // 3))
        left, top = random.integers(0, PIXELS // 3, 2).tolist()
        cut = large.crop((left, top, left + PIXELS, top + PIXELS))
        cut.save(folder / f"pairs/color/{number}.jpg", quality=92)
        cut.convert("L").save(folder / f"pairs/gray/{number}.jpg", quality=92)


def read_pairing(input_folder: str, target_folder: str) -> PairingSettings:
    """Default settings for pairs in two folders."""
    conf = Path(__file__).parents[1] / "conf"
    loader = LayeredConfigLoader(str(conf), base_env="base", default_run_env="base")
    names = {"input": input_folder, "target": target_folder}
    return loader["parameters"]["custom"].pairing.model_copy(update=names)


def repeat_pairs(source: Source, pairing: PairingSettings, count: int) -> pd.DataFrame:
    """Split with ``count`` training pairs that repeat the pairs of the source."""
    pairs = [c for c in form_pairs(source, pairing) if not c.reason]
    chosen = [pairs[number % len(pairs)] for number in range(count)]
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    return pd.DataFrame(
        {
            "pair_id": [text[:16] for text in ids],
            "input": [pair.input for pair in chosen],
            "target": [pair.target for pair in chosen],
            "group": "",
            "input_sha256": ids,
            "target_sha256": ids,
            "split": "train",
        }
    )


def prepare(
    source: Source, split: pd.DataFrame, pairing: PairingSettings, size: int, to: Path
) -> None:
    """Prepare pairs as the pipeline does."""
    settings = PreparationSettings.model_validate(
        {"image_size": size, "fit": "resize", "white": None}
    )
    prepare_pairs(source, split, "train", to, pairing, settings)


def prepare_by_loop(source: Source, split: pd.DataFrame, size: int, to: Path) -> None:
    """Prepare pairs with Pillow, file by file."""
    to.mkdir(parents=True)
    shape = (len(split), size, size, 3)
    sides = ((INPUTS, split["input"]), (TARGETS, split["target"]))
    for name, files in sides:
        array = np.lib.format.open_memmap(to / name, "w+", np.uint8, shape)
        for row, file in enumerate(files):
            with Image.open(source.root / file) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
                array[row] = upright.resize((size, size), Image.Resampling.BICUBIC)
        array.flush()


def measure_memory(target, *arguments: object) -> int:
    """Peak anonymous memory in bytes of a separate process that calls ``target``."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_report_peak, args=(queue, target, *arguments))
    process.start()
    peak = queue.get()
    process.join()
    return peak


def _report_peak(queue, target, *arguments) -> None:
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, _anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    target(*arguments)
    done.set()
    watcher.join()
    queue.put(peak)


def _anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status does not report anonymous memory (RssAnon)")


def time_both(
    source: Source, split: pd.DataFrame, pairing: PairingSettings, size: int, to: Path
) -> tuple[list[float], list[float]]:
    """Seconds of the loop and of the preparation, which take turns."""
    loop, ours = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        prepare_by_loop(source, split, size, to / "loop")
        loop.append(time.perf_counter() - start)
        start = time.perf_counter()
        prepare(source, split, pairing, size, to / "ours")
        ours.append(time.perf_counter() - start)
        for name in (INPUTS, TARGETS):
            first = np.load(to / "loop" / name, mmap_mode="r")
            second = np.load(to / "ours" / name, mmap_mode="r")
            order = np.argsort(split["pair_id"].to_numpy())
            for row in range(0, len(split), 97):
                np.testing.assert_array_equal(first[order[row]], second[row])
        shutil.rmtree(to / "loop")
        shutil.rmtree(to / "ours")
    return loop, ours


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--source", type=Path, help="folder with the two sub-folders")
    parser.add_argument("--input", default="gray")
    parser.add_argument("--target", default="color")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.source is None:
            make_pairs(folder)
        source = list_folder(arguments.source or folder / "pairs")
        pairing = read_pairing(arguments.input, arguments.target)
        size, many, few = arguments.size, arguments.pairs, arguments.pairs // 10
        split = repeat_pairs(source, pairing, many)
        loop, ours = time_both(source, split, pairing, size, folder)
        peaks = [
            measure_memory(
                prepare, source, part, pairing, size, folder / str(len(part))
            )
            for part in (split.head(few), split)
        ]
    print(f"\n{many:,} pairs, {size} px, best of {ROUNDS} rounds\n")
    print("| | seconds | pairs/s |\n|---|---|---|")
    for name, seconds in (("plain Pillow loop", loop), ("preparation", ours)):
        print(f"| {name} | {min(seconds):.1f} | {many / min(seconds):.0f} |")
    print(f"\nSpeed against the loop: {min(loop) / min(ours):.2f} times")
    few_mib, many_mib = (peak / 2**20 for peak in peaks)
    print(
        f"Anonymous memory: {few_mib:.0f} MiB at {few:,} pairs, {many_mib:.0f} MiB at "
        f"{many:,}, {many_mib - few_mib:+.0f} MiB"
    )


if __name__ == "__main__":
    main()
