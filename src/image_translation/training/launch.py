"""Training in several processes: started by torchrun, watched from here.

The processes run ``image_translation.training.worker``, which calls the same `train` as
one process does. The first of them tells this one what happens, so that observers, such
as MLflow's, hear of a training once, and nothing that calls `train` runs twice.
"""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_translation.errors import InputError
from image_translation.pairing.arrays import PairArrays
from image_translation.training.interruption import (
    StopRequest,
    TrainingStoppedError,
    resume_hint,
)
from image_translation.training.observer import Observer
from image_translation.training.settings import ModelSettings, TrainingSettings
from image_translation.training.trained import TrainedReplicate

logger = logging.getLogger(__name__)

JOB_FOLDER = "job"
"""Sub-folder of a model's folder that holds what the processes have to know."""

_PORT = 29400
_SECONDS_BETWEEN_LOOKS = 0.2


def launch(
    name: str,
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[Observer] = (),
) -> None:
    """Train all replicates of a model in ``devices`` processes on each of ``nodes`` hosts.

    On one host everything is started here. On several, the other hosts start the command
    that is logged, with their own number; they must see ``folder`` and the arrays under
    the same path.

    Args:
        name: The model's name.
        settings: Its settings.
        train: Pairs to learn from.
        validation: Pairs that choose the epoch.
        folder: The model's folder.
        observers: Told, in this process, of every epoch.

    Raises:
        InputError: As in `fit`; or a process ended with an error.
        TrainingStoppedError: A signal asked to stop; the processes have kept a checkpoint.
    """
    with _job(name, settings, (train, validation), folder, observers) as (job, calls):
        command = _torchrun(settings.training, job, node=0)
        if settings.training.nodes > 1:
            other = " ".join(_torchrun(settings.training, job, node=1))
            logger.info("on each other host, --node-rank counting on: %s", other)
        with StopRequest() as stop:
            # a session of its own: Ctrl-C is passed on by this process, once
            process = subprocess.Popen(command, start_new_session=True)
            try:
                _watch(process, calls, stop)
            finally:
                process.terminate()
                process.wait()
    if calls.problem is not None:
        raise InputError(calls.problem)
    if stop.number is not None:
        raise TrainingStoppedError(
            f"{name} was stopped; {resume_hint(settings.training.force)}",
            stop.number,
        )
    if process.returncode:
        raise InputError(
            f"{name}: a training process ended with exit code {process.returncode}; "
            "what it said stands above. Its last checkpoint is kept"
        )


class Calls:
    """What the first process tells: calls of an observer, answered one by one."""

    def __init__(self, listener: Listener, observers: Sequence[Observer]) -> None:
        self.problem: str | None = None
        self._observers = observers
        self._connection: Connection | None = None
        Thread(target=self._accept, args=(listener,), daemon=True).start()

    def answer(self, seconds: float) -> None:
        """Wait for a call, ``seconds`` at most, and answer it."""
        connection = self._connection
        if connection is None:
            time.sleep(seconds)
            return
        if not connection.poll(seconds):
            return
        try:
            method, arguments = connection.recv()
        except (EOFError, OSError):
            self._connection = None
            return
        if method == "problem":
            self.problem = arguments[0]
        else:
            for observer in self._observers:
                getattr(observer, method)(*arguments)
        try:
            connection.send("done")
        except OSError:  # it did not wait for the answer
            self._connection = None

    def _accept(self, listener: Listener) -> None:
        try:
            self._connection = listener.accept()
        except OSError:  # closed before anybody called
            return


class Caller:
    """An observer that hands on what it is told to the process that launched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def on_start(self, *arguments: Any) -> None:
        """Hand on that a replicate starts."""
        self.call("on_start", *arguments)

    def on_epoch(self, *arguments: Any) -> None:
        """Hand on an epoch."""
        self.call("on_epoch", *arguments)

    def on_end(self, trained: TrainedReplicate) -> None:
        """Hand on that a replicate is finished."""
        self.call("on_end", trained)

    def call(self, method: str, *arguments: Any) -> None:
        """Hand on a call, and wait until it was answered."""
        self._connection.send((method, arguments))
        self._connection.recv()


@contextmanager
def _job(
    name: str,
    settings: ModelSettings,
    sides: tuple[PairArrays, PairArrays],
    folder: Path,
    observers: Sequence[Observer],
) -> Iterator[tuple[Path, Calls]]:
    """Write down what the processes have to know, and listen to them."""
    job_folder = folder / JOB_FOLDER
    shutil.rmtree(job_folder, ignore_errors=True)
    job_folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:  # short: sockets have short names
        address = f"{scratch}/calls"
        with Listener(address, "AF_UNIX") as listener:
            job = {
                "name": name,
                "settings": settings.model_dump(mode="json"),
                "train": _describe(sides[0], job_folder / "train"),
                "validation": _describe(sides[1], job_folder / "validation"),
                "folder": str(folder),
                "address": address,
            }
            path = job_folder / "job.json"
            path.write_text(json.dumps(job), "utf-8")
            yield path, Calls(listener, observers)
    shutil.rmtree(job_folder, ignore_errors=True)


def _describe(pairs: PairArrays, where: Path) -> dict[str, str]:
    """Where other processes find the arrays."""
    index = f"{where}.csv"
    pairs.index.to_csv(index, index=False)
    return {
        "inputs": _path_of(pairs.inputs, f"{where}-inputs.npy"),
        "targets": _path_of(pairs.targets, f"{where}-targets.npy"),
        "index": index,
        "fingerprint": pairs.fingerprint,
    }


def _path_of(array: NDArray[np.uint8], otherwise: str) -> str:
    if isinstance(array, np.memmap) and array.filename is not None:
        return str(array.filename)
    np.save(otherwise, array)
    return otherwise


def _torchrun(training: TrainingSettings, job: Path, node: int) -> list[str]:
    command = [sys.executable, "-m", "torch.distributed.run"]
    if training.nodes == 1:
        command += ["--standalone"]
    else:
        host, _, port = (training.rendezvous or "").partition(":")
        if not host:
            raise InputError(
                "training.rendezvous: several nodes need the address of the first one, "
                "such as training.rendezvous=10.0.0.1:29400"
            )
        command += [
            f"--nnodes={training.nodes}",
            f"--node-rank={node}",
            f"--master-addr={host}",
            f"--master-port={port or _PORT}",
        ]
    return [
        *command,
        f"--nproc-per-node={training.devices}",
        "-m",
        "image_translation.training.worker",
        str(job),
    ]


def _watch(process: "subprocess.Popen[bytes]", calls: Calls, stop: StopRequest) -> None:
    """Answer calls until the processes have ended; pass on a signal once."""
    asked = False
    while process.poll() is None:
        calls.answer(_SECONDS_BETWEEN_LOOKS)
        if stop.number is not None and not asked:
            process.terminate()
            asked = True
