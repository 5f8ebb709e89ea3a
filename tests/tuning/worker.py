"""A worker of a study in a process of its own; names each trial that it ends.

With a second argument it dies, as by a power cut, after so many epochs.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from tests.training.conftest import make_pairs
from tests.tuning.conftest import run_tuning


class Killer:
    """Kills its process in the epoch after the given number, a checkpoint being kept."""

    def __init__(self, epochs):
        self.left = epochs

    def on_start(self, *_):
        pass

    def on_epoch(self, epoch, metrics, samples):
        if not metrics:
            return
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_end(self, trained):
        sys.stdout.write(f"{trained.folder.name}\n")
        sys.stdout.flush()

    def close(self):
        pass


def main(folder: Path, epochs: float = float("inf")) -> None:
    torch.set_num_threads(1)
    pairs = make_pairs(6, seed=0), make_pairs(5, seed=1)
    run_tuning(folder, pairs, trials=5, observers=[Killer(epochs)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
