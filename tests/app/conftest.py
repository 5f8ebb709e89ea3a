"""The app as a user starts it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.commands import Command
from tests.conftest import ENVIRONMENT

PROXIES = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
"""As in a company; these refuse every connection."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running_app(
    project: Path, temporary: Path, *options: str
) -> Iterator[tuple[str, Command]]:
    """`kedro app` in a project: its URL, and its process, which is ended afterwards.

    Args:
        project: The project.
        temporary: Where the process keeps temporary files.
        options: Of the command.
    """
    command = ("app", "--env=smoke", *options, f"--port={free_port()}")
    environment = {**ENVIRONMENT, **PROXIES, "TMPDIR": str(temporary)}
    process = Command(project, command, environment)
    try:
        line = process.wait_for_line("The app serves")
        assert line, process.output
        yield line.split()[-1], process
    finally:
        process.terminate()
        process.wait(timeout=120)
