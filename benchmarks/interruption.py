"""Kill trainings and whole runs at random moments and check that nothing is lost.

A small pix2pix is trained without interruption. Then it is trained repeatedly in a
process that is killed (SIGKILL) at a random moment and restarted. The final weights must
always equal those of the uninterrupted training. Then whole runs are killed, from
ingestion to the report, and started again: all data and tables must have the same bytes
as after an uninterrupted run. Run it with

    python benchmarks/interruption.py --times 20
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simultaneous import copy_project
from simultaneous import start as start_run

PAIRS = 24
SIZE = 32
TASK = "colorization"
RUN_PARAMETERS = "training.epochs=3"
SAME_BYTES = (
    "*.npy",
    "*.png",
    "*.safetensors",
    "index.csv",
    "manifest.csv",
    "split.csv",
    "scores.csv",
    "comparison.csv",
    "verdicts.csv",
    "effects.csv",
)


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


def kill_trainings(scratch: Path, times: int, epochs: int) -> int:
    """Number of killed trainings that end with the weights of the uninterrupted one."""
    chance = random.Random(0)
    process = start(scratch / "whole", epochs)
    wait_for(scratch / "whole/checkpoint.pt")
    started = time.perf_counter()
    process.wait()
    seconds = time.perf_counter() - started
    whole = finish(scratch / "whole", epochs)
    ended = [
        kill_at_random(scratch / str(number), epochs, seconds, chance)
        for number in range(times)
    ]
    return ended.count(whole)


def finish_run(project: Path) -> dict[str, str]:
    """Run the task to its end; returns the digests of its data and tables."""
    run = start_run(project, TASK, RUN_PARAMETERS)
    log, _ = run.communicate()
    if run.returncode or "Traceback" in log:
        raise SystemExit(f"exit code {run.returncode}\n{log}")
    files = (
        path
        for name in SAME_BYTES
        for path in project.rglob(f"data/smoke/0*/**/{name}")
        if "champion" not in path.parts  # downloaded when it is compared again
    )
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def kill_runs(scratch: Path, times: int) -> int:
    """Number of killed runs that end with the bytes of the uninterrupted one."""
    chance, same = random.Random(0), 0
    started = time.perf_counter()
    expected = finish_run(copy_project(scratch / "whole-run"))
    seconds = time.perf_counter() - started
    for number in range(times):
        project = copy_project(scratch / f"run-{number}")
        run = start_run(project, TASK, RUN_PARAMETERS)
        moment = seconds * (number + chance.random()) / times  # covers all stages
        try:
            run.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
        found = finish_run(project)
        different = {n for n in {*expected, *found} if expected.get(n) != found.get(n)}
        if different:
            print(f"killed after {moment:.1f} s:", *sorted(different), sep="\n  ")
        same += not different
        shutil.rmtree(project)
    print(f"{len(expected)} files compared")
    return same


def main() -> None:
    """Kill trainings and runs, and compare their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="killed trainings")
    parser.add_argument("--runs", type=int, default=20, help="killed runs")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        train(arguments.folder, arguments.epochs)
        return
    times, runs = arguments.times, arguments.runs
    with tempfile.TemporaryDirectory() as scratch:
        same = kill_trainings(Path(scratch), times, arguments.epochs)
        print(f"{same} of {times} killed trainings ended with the same weights")
        same_runs = kill_runs(Path(scratch), runs) if runs else 0
        print(f"{same_runs} of {runs} killed runs ended with the same bytes")
    if same < times or same_runs < runs:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
