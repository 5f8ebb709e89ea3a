"""Start runs at the same time and check that they do not disturb each other.

Two runs of one task, with equal or different parameters, start up to 20 seconds apart.
Each must finish or exit with code 75, and the tables must equal those of the last run that
finished, run alone. The first runs of three tasks also start at once in a new project, so
that all of them create MLflow's database. Run it with

    python benchmarks/simultaneous.py --pairs 20 --firsts 10
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from image_translation.pipeline_registry import MODELS

PROJECT = Path(__file__).parents[1]
FINISHED, LOCKED = 0, 75
FIRST_TASKS = ("colorization", "cartoon", "hidden_digits")
TABLES = ("comparison.csv", "verdicts.csv")
PARAMETERS = (
    "training.epochs=1",
    "training.epochs=1,pairing.direction=reversed",
)


def copy_project(folder: Path) -> Path:
    """Copy the files of the project that a run needs."""
    folder.mkdir(parents=True)
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for name in ("conf", "src"):
        shutil.copytree(PROJECT / name, folder / name)
    return folder


def start(project: Path, task: str, parameters: str) -> "subprocess.Popen[str]":
    """Start a run of a task with its baselines and the U-Net."""
    others = (model for model in MODELS if model != "unet")
    only = ",".join(f"models.{model}.enabled=false" for model in others)
    command = [sys.executable, "-m", "kedro", "run", "--env=smoke"]
    return subprocess.Popen(
        [*command, f"--pipeline={task}", f"--params={parameters},{only}"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]", allowed: tuple[int, ...]) -> int:
    """Wait for a run, and check its exit code and its log."""
    log, _ = process.communicate()
    if process.returncode not in allowed or "Traceback" in log:
        raise SystemExit(f"exit code {process.returncode}\n{log}")
    return process.returncode


def read_tables(project: Path) -> list[str]:
    """The tables of the last run of colorization."""
    folder = project / "data/smoke/08_reporting/colorization"
    return [(folder / name).read_text("utf-8") for name in TABLES]


def run_pairs(folder: Path, times: int, chance: random.Random) -> None:
    """Start two runs of a task, a random time apart."""
    expected = {}
    for number, parameters in enumerate(PARAMETERS):
        alone = copy_project(folder / f"alone-{number}")
        finish(start(alone, "colorization", parameters), (FINISHED,))
        expected[parameters] = read_tables(alone)
    project, refused = copy_project(folder / "shared"), 0
    for time_number in range(times):
        first, second = chance.choice(PARAMETERS), chance.choice(PARAMETERS)
        pause = chance.uniform(0, 20)
        begun = start(project, "colorization", first)
        time.sleep(pause)
        other = start(project, "colorization", second)
        codes = [finish(process, (FINISHED, LOCKED)) for process in (begun, other)]
        last = second if codes[1] == FINISHED else first
        if FINISHED not in codes or read_tables(project) != expected[last]:
            raise SystemExit(f"round {time_number}: {codes}, {pause:.1f} s apart")
        refused += LOCKED in codes
    print(
        f"{times} rounds of two runs: {refused} with one exit code 75, tables as expected"
    )


def run_firsts(folder: Path, times: int) -> None:
    """Start the first runs of three tasks at once."""
    for number in range(times):
        project = copy_project(folder / f"first-{number}")
        runs = [start(project, task, PARAMETERS[0]) for task in FIRST_TASKS]
        for run in runs:
            finish(run, (FINISHED,))
        shutil.rmtree(project)
    print(f"{times} rounds of three first runs: all finished")


def main() -> None:
    """Parse the arguments and run both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20, help="rounds of two runs")
    parser.add_argument("--firsts", type=int, default=10, help="rounds of first runs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_firsts(Path(folder), arguments.firsts)
        run_pairs(Path(folder), arguments.pairs, random.Random(arguments.seed))


if __name__ == "__main__":
    main()
