"""Kill trainings at random moments and check that nothing is lost.

A small pix2pix is trained without interruption. Then it is trained repeatedly in a
process that is killed (SIGKILL) at a random moment and restarted. The final weights must
always equal those of the uninterrupted training. Run it with

    python benchmarks/interruption.py --times 20
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 24
SIZE = 32


def train(folder: Path, epochs: int) -> None:
    """Train in this process, with one thread and a checkpoint after every batch."""
    import numpy as np
    import pandas as pd
    import torch

    from image_translation.config.parameters import LayeredConfigLoader
    from image_translation.pairing.arrays import PairArrays
    from image_translation.training import fit

    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (PAIRS, SIZE, SIZE, 3), dtype=np.uint8)
    index = pd.DataFrame({"pair_id": range(PAIRS), "group": range(PAIRS)})
    pairs = PairArrays(images, 255 - images, index, "random")
    conf = Path(__file__).parents[1] / "conf"
    loader = LayeredConfigLoader(str(conf), base_env="base", default_run_env="smoke")
    model = loader["parameters"]["custom"].pix2pix
    training = model.training.model_copy(
        update={"epochs": epochs, "checkpoint_minutes": 1e-9}
    )
    fit(model.model_copy(update={"training": training}), pairs, pairs, folder)


def start(folder: Path, epochs: int) -> "subprocess.Popen[bytes]":
    """Start a training in a separate process."""
    command = [sys.executable, __file__, "--folder", str(folder)]
    return subprocess.Popen([*command, "--epochs", str(epochs)])


def finish(folder: Path, epochs: int) -> str:
    """Train to the end and return the digest of the weights."""
    if start(folder, epochs).wait():
        raise SystemExit(f"the training in {folder} failed")
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def wait_for(path: Path) -> None:
    """Wait until a file exists."""
    while not path.exists():
        time.sleep(0.005)


def kill_at_random(
    folder: Path, epochs: int, seconds: float, chance: random.Random
) -> str:
    """Start, kill within ``seconds`` of the first checkpoint, then resume to the end."""
    process = start(folder, epochs)
    wait_for(folder / "checkpoint.pt")
    time.sleep(chance.uniform(0, seconds))
    process.kill()
    process.wait()
    return finish(folder, epochs)


def main() -> None:
    """Kill trainings and compare their weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        train(arguments.folder, arguments.epochs)
        return
    chance = random.Random(0)
    epochs = arguments.epochs
    with tempfile.TemporaryDirectory() as scratch:
        process = start(Path(scratch) / "whole", epochs)
        wait_for(Path(scratch) / "whole/checkpoint.pt")
        started = time.perf_counter()
        process.wait()
        seconds = time.perf_counter() - started
        whole = finish(Path(scratch) / "whole", epochs)
        same = 0
        for number in range(arguments.times):
            folder = Path(scratch) / str(number)
            ended = kill_at_random(folder, epochs, seconds, chance)
            same += ended == whole
        print(
            f"{same} of {arguments.times} killed trainings ended with the same weights"
        )
        if same < arguments.times:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
