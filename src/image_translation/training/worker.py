"""One of several training processes; started by torchrun, see ``launch``."""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from image_translation.common.errors import InputError
from image_translation.common.spreadsheets import read_texts
from image_translation.common.threads import usable_cores
from image_translation.pairing.arrays import PairArrays
from image_translation.training.interruption import Stopped, StopRequest
from image_translation.training.launch import RemoteObserver
from image_translation.training.replicates import train_replicates
from image_translation.training.settings import ModelSettings

GRACE_SECONDS = 30
"""After an error, the other processes wait for the first one to report it: torchrun ends
all processes as soon as one has ended."""


def main(path: Path) -> int:
    """Train as one process of a job; returns the exit code."""
    # systemd signals every process, and torchrun also forwards the signal.
    StopRequest.is_patient = True
    job = json.loads(path.read_text("utf-8"))
    settings = ModelSettings.model_validate(job["settings"])
    _init_process_group(settings)
    is_first = dist.get_rank() == 0
    logging.basicConfig(
        level=logging.INFO if is_first else logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
    )
    observer = None
    if is_first:
        observer = RemoteObserver(Client(job["address"], "AF_UNIX"))
    try:
        train_replicates(
            job["name"],
            settings,
            _open_pairs(job["train"]),
            _open_pairs(job["validation"]),
            Path(job["folder"]),
            [observer] if observer else [],
        )
    except InputError as error:
        if observer:
            observer.call("problem", str(error))
        else:
            time.sleep(GRACE_SECONDS)
        return 1
    except Stopped as stopped:
        return stopped.exit_code
    dist.barrier()  # the first one may still be writing
    return 0


def _exit(exit_code: int) -> None:
    """End the process without destroying the process group.

    Destroying it while others still use it can abort this process.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _init_process_group(settings: ModelSettings) -> None:
    uses_cuda = torch.cuda.is_available() and settings.training.device != "cpu"
    if uses_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    else:
        # torchrun sets one thread by default
        processes = int(os.environ["LOCAL_WORLD_SIZE"])
        torch.set_num_threads(max(1, usable_cores() // processes))
    dist.init_process_group("nccl" if uses_cuda else "gloo")


def _open_pairs(subset: Mapping[str, Any]) -> PairArrays:
    return PairArrays(
        np.load(subset["inputs"], mmap_mode="r"),
        np.load(subset["targets"], mmap_mode="r"),
        read_texts(Path(subset["index"])),
        subset["fingerprint"],
    )


if __name__ == "__main__":
    _exit(main(Path(sys.argv[1])))
