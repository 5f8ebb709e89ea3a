"""Kedro commands in processes of their own, without the time for importing libraries.

Importing torch, MLflow and their dependencies takes most of the time of a short command.
A server process imports them once, and forks for each command. Kedro and this project
are imported by the command itself, so that it configures logging as usual.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from pathlib import Path

LIBRARIES = [
    "gradio",
    "matplotlib.pyplot",
    "mlflow.pytorch",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "scipy.stats",
    "skimage.metrics",
    "torch",
]

_context = multiprocessing.get_context("forkserver")


class Command:
    """A running Kedro command, with the interface of `subprocess.Popen`.

    Args:
        folder: Working directory.
        arguments: Arguments of ``kedro``.
        environment: Environment variables.
        prepare: Called in the process before Kedro starts.
    """

    def __init__(
        self,
        folder: Path,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.args = arguments
        self._outputs = Path(tempfile.mkdtemp(prefix="command-"))
        _context.set_forkserver_preload(LIBRARIES)
        forkserver.ensure_running()
        given = (folder, arguments, dict(environment), self._outputs, prepare)
        self._process = _context.Process(target=_run, args=given)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; negative after a signal, None while it runs."""
        return self._process.exitcode

    @property
    def output(self) -> tuple[str, str]:
        """Standard output and standard error so far."""
        paths = (self._outputs / name for name in ("stdout", "stderr"))
        stdout, stderr = (p.read_text("utf-8") if p.exists() else "" for p in paths)
        return stdout, stderr

    def poll(self) -> int | None:
        """The exit code, or None."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit code."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; returns standard output and standard error."""
        self.wait(timeout)
        return self.output

    def wait_for_line(self, text: str) -> str | None:
        """The first line of standard output with a text; None if the command ends."""
        while True:
            has_ended = self.poll() is not None
            complete, _, _ = self.output[0].rpartition("\n")
            for line in complete.splitlines():
                if text in line:
                    return line
            if has_ended:
                return None
            time.sleep(0.05)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the command has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run_command(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str],
    prepare: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess:
    """Run a Kedro command to its end."""
    command = Command(folder, arguments, environment, prepare)
    stdout, stderr = command.communicate()
    return subprocess.CompletedProcess(arguments, command.returncode, stdout, stderr)


def _run(
    folder: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    outputs: Path,
    prepare: Callable[[], None] | None,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None  # follows TMPDIR again
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (outputs / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["kedro", *arguments]
    sys.path.insert(0, str(folder))
    if prepare is not None:
        prepare()
    try:
        runpy.run_module("kedro", run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends without them
