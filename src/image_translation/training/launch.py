"""Training in several processes, started with torchrun and watched by this process.

The processes run ``image_translation.training.worker``, which calls the same function as
a single process does. The first of them passes the calls of its observers to this
process. So observers, such as MLflow's, see a training once, and nothing that calls
`train` runs twice.
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

from image_translation.common.errors import InputError
from image_translation.common.spreadsheets import to_csv
from image_translation.pairing.arrays import PairArrays
from image_translation.training.interruption import (
    Stopped,
    StopRequest,
    interruptible,
    resume_hint,
)
from image_translation.training.observer import Observer
from image_translation.training.settings import ModelSettings, TrainingSettings

logger = logging.getLogger(__name__)

JOB_FOLDER = "job"
"""Sub-folder of a model's folder with the description of the job for the processes."""

_PORT = 29400
_POLL_SECONDS = 0.2


def launch(
    name: str,
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[Observer] = (),
) -> None:
    """Train all replicates of a model in ``devices`` processes on each of ``nodes`` hosts.

    On one host, all processes are started here. On several, run the logged command on
    each other host, with its own node rank; ``folder`` and the arrays must have the same
    paths there.

    Args:
        name: The model's name.
        settings: Its settings.
        train: Pairs to learn from.
        validation: Pairs that choose the epoch.
        folder: The model's folder.
        observers: Notified of every epoch, in this process.

    Raises:
        InputError: As in `fit`; or a process ended with an error.
        Stopped: A signal requested a stop; a checkpoint was saved.
    """
    with _job(name, settings, (train, validation), folder, observers) as (job, server):
        command = _torchrun(settings.training, job, node=0)
        if settings.training.nodes > 1:
            other = " ".join(_torchrun(settings.training, job, node=1))
            logger.info("run on each other host, with its --node-rank: %s", other)
        with StopRequest() as stop:
            # A session of its own: Ctrl-C is passed on by this process, once.
            process = subprocess.Popen(command, start_new_session=True)
            try:
                _watch(process, server, stop)
            finally:
                process.terminate()
                process.wait()
    if server.problem is not None:
        raise InputError(server.problem)
    if stop.number is not None:
        hint = resume_hint(settings.training.force)
        raise Stopped(f"{name} was stopped; {hint}", stop.number)
    if process.returncode:
        raise InputError(
            f"{name}: a training process ended with exit code {process.returncode}; see "
            "its output above. Its last checkpoint is kept"
        )


class ObserverServer:
    """Receives the calls of a `RemoteObserver`, one at a time.

    Attributes:
        problem: The message of an input error in the other process, or None.
    """

    def __init__(self, listener: Listener, observers: Sequence[Observer]) -> None:
        self.problem: str | None = None
        self._observers = observers
        self._connection: Connection | None = None
        Thread(target=self._accept, args=(listener,), daemon=True).start()

    def answer(self, seconds: float) -> None:
        """Wait up to some seconds for a call, and pass it to the observers."""
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
        except OSError:  # the other process has ended
            self._connection = None

    def _accept(self, listener: Listener) -> None:
        try:
            self._connection = listener.accept()
        except OSError:  # closed without a call
            return


class RemoteObserver:
    """An observer that passes its calls to an `ObserverServer` in another process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def on_start(self, *arguments: Any) -> None:
        self.call("on_start", *arguments)

    def on_epoch(self, *arguments: Any) -> None:
        self.call("on_epoch", *arguments)

    def on_end(self, *arguments: Any) -> None:
        self.call("on_end", *arguments)

    def call(self, method: str, *arguments: Any) -> None:
        """Pass on a call and wait for its end."""
        with interruptible():
            self._connection.send((method, arguments))
            self._connection.recv()


@contextmanager
def _job(
    name: str,
    settings: ModelSettings,
    subsets: tuple[PairArrays, PairArrays],
    folder: Path,
    observers: Sequence[Observer],
) -> Iterator[tuple[Path, ObserverServer]]:
    """Write the description of the job, and serve the observers."""
    job_folder = folder / JOB_FOLDER
    shutil.rmtree(job_folder, ignore_errors=True)
    job_folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:  # paths of sockets must be short
        address = f"{scratch}/calls"
        with Listener(address, "AF_UNIX") as listener:
            job = {
                "name": name,
                "settings": settings.model_dump(mode="json"),
                "train": _describe(subsets[0], job_folder / "train"),
                "validation": _describe(subsets[1], job_folder / "validation"),
                "folder": str(folder),
                "address": address,
            }
            path = job_folder / "job.json"
            path.write_text(json.dumps(job), "utf-8")
            yield path, ObserverServer(listener, observers)
    shutil.rmtree(job_folder, ignore_errors=True)


def _describe(pairs: PairArrays, where: Path) -> dict[str, str]:
    """Paths of the arrays, which are saved if they are in memory."""
    index = f"{where}.csv"
    to_csv(pairs.index, Path(index))
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


def _watch(
    process: "subprocess.Popen[bytes]", server: ObserverServer, stop: StopRequest
) -> None:
    """Answer calls until the processes have ended; pass on a signal once."""
    is_asked = False
    while process.poll() is None:
        server.answer(_POLL_SECONDS)
        if stop.number is not None and not is_asked:
            process.terminate()
            is_asked = True
