"""The app as a user starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ENVIRONMENT


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running_app(
    project: Path, temporary: Path, *options: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """`kedro app` in a project: its URL, and its process, which is ended afterwards.

    Args:
        project: The project.
        temporary: Where the process keeps temporary files.
        options: Of the command.
    """
    command = [sys.executable, "-m", "kedro", "app", "--env=smoke", *options]
    log = temporary / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, f"--port={free_port()}"],
            cwd=project,
            env={**ENVIRONMENT, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        lines = iter(process.stdout.readline, "")
        line = next((line for line in lines if "The app serves" in line), None)
        assert line, log.read_text()
        yield line.split()[-1], process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=120)
