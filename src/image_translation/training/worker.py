"""One of several processes that train a model; torchrun starts it, see ``launch``."""

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
import pandas as pd
import torch
import torch.distributed as dist

from image_translation.errors import InputError
from image_translation.pairing.arrays import PairArrays
from image_translation.training.interruption import TrainingStoppedError
from image_translation.training.launch import Caller
from image_translation.training.replicates import train_replicates
from image_translation.training.settings import ModelSettings

SECONDS_TO_TELL = 30
"""How long the other processes wait for the first one to say what is wrong; torchrun
ends all as soon as one leaves."""


def main(path: Path) -> int:
    """Take part in a job; the exit code."""
    job = json.loads(path.read_text("utf-8"))
    settings = ModelSettings.model_validate(job["settings"])
    _join(settings)
    is_first = dist.get_rank() == 0
    logging.basicConfig(
        level=logging.INFO if is_first else logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
    )
    caller = Caller(Client(job["address"], "AF_UNIX")) if is_first else None
    try:
        train_replicates(
            job["name"],
            settings,
            _open(job["train"]),
            _open(job["validation"]),
            Path(job["folder"]),
            [caller] if caller else [],
        )
    except InputError as error:
        if caller:
            caller.call("problem", str(error))
        else:
            time.sleep(SECONDS_TO_TELL)
        return 1
    except TrainingStoppedError as stopped:
        return stopped.exit_code
    dist.barrier()  # the first one may still be writing
    return 0


def _leave(exit_code: int) -> None:
    """End the process at once.

    Taking the process group down while the others still use it can abort this process.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _join(settings: ModelSettings) -> None:
    uses_cuda = torch.cuda.is_available() and settings.training.device != "cpu"
    if uses_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    else:
        # torchrun allows one thread unless the user says more
        cores = os.cpu_count() or 1
        torch.set_num_threads(max(1, cores // int(os.environ["LOCAL_WORLD_SIZE"])))
    dist.init_process_group("nccl" if uses_cuda else "gloo")


def _open(side: Mapping[str, Any]) -> PairArrays:
    return PairArrays(
        np.load(side["inputs"], mmap_mode="r"),
        np.load(side["targets"], mmap_mode="r"),
        pd.read_csv(side["index"], dtype=str, keep_default_na=False),
        side["fingerprint"],
    )


if __name__ == "__main__":
    _leave(main(Path(sys.argv[1])))
