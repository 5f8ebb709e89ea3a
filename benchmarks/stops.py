"""Stop commands by signals at random moments, and check exit codes and logs.

Every command first runs to completion in a copy of the project with the smoke environment.
Then it is started repeatedly, and receives SIGTERM or SIGINT at a random moment within that
duration. It must exit within 15 seconds with code 143 or 130, as a shell reports it, and the
event log of its run must record the end of the run. Run it with

    python benchmarks/stops.py --times 20
"""

import argparse
import http.server
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_translation.pipeline_registry import MODELS

PROJECT = Path(__file__).parents[1]
TASK = "colorization"
SMOKE = ("--env=smoke",)
SECONDS = 15
SIGNALS = (signal.SIGTERM, signal.SIGINT)

ONE_MODEL = "models.{}.enabled=false"
UNET = ",".join(ONE_MODEL.format(name) for name in MODELS if name != "unet")
URL = "<url>"
"""Placeholder for the address of the slow server."""

PHOTOS = 400
CHUNK = 2**16
SECONDS_PER_CHUNK = 0.1


@dataclass(frozen=True)
class Command:
    """A command to stop.

    Attributes:
        arguments: The arguments of ``kedro``.
        needs_run: Whether it needs the results of a run.
        seconds: Period in which to stop a command that does not end by itself.
    """

    arguments: tuple[str, ...]
    needs_run: bool = False
    seconds: float | None = None


COMMANDS = {
    "run": Command(("run", f"--pipeline={TASK}", *SMOKE)),
    "ingestion": Command(
        (
            "run",
            f"--pipeline={TASK}",
            "--tags=ingestion",
            *SMOKE,
            f"--params=source={URL}",
        )
    ),
    "processes": Command(
        (
            "run",
            f"--pipeline={TASK}",
            *SMOKE,
            f"--params=training.devices=2,training.epochs=20,{UNET}",
        )
    ),
    "translate": Command(
        ("run", "--pipeline=translate", *SMOKE, "--params=input=photos,output=made"),
        needs_run=True,
    ),
    "export": Command(("run", "--pipeline=export", *SMOKE), needs_run=True),
    "tuning": Command(
        ("run", "--pipeline=tuning", *SMOKE, "--params=tuning.trials=8"),
        needs_run=True,
    ),
    "nightly": Command(("nightly", f"--task={TASK}", *SMOKE)),
    "send": Command(("send", *SMOKE), needs_run=True),
    "app": Command(("app", *SMOKE), needs_run=True, seconds=20),
}


@dataclass(frozen=True)
class Stop:
    """The result of a signal.

    Attributes:
        number: The signal.
        moment: Seconds since the start of the command.
        code: The exit code, as a shell reports it; None if the command had ended before.
        seconds: From the signal to the end.
        problem: What is wrong with the event log, or an empty text.
        output: The output of the command.
    """

    number: int
    moment: float
    code: int | None
    seconds: float
    problem: str
    output: str

    @property
    def is_right(self) -> bool:
        """True if exit code, time and event log are correct."""
        code_is_right = self.code == 128 + self.number
        return code_is_right and self.seconds <= SECONDS and not self.problem


class Projects:
    """Copies of the project to run commands in.

    Args:
        scratch: Folder for the copies.
        url: Address of the slow server.
    """

    def __init__(self, scratch: Path, url: str) -> None:
        self._scratch, self._url = scratch, url
        self._fresh, self._finished = scratch / "fresh", scratch / "finished"
        self._fresh.mkdir()
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(PROJECT / name, self._fresh / name)
        for name in ("conf", "src"):
            ignored = shutil.ignore_patterns("__pycache__", "local", "*.egg-info")
            shutil.copytree(PROJECT / name, self._fresh / name, ignore=ignored)
        (self._fresh / "conf/local").mkdir()

    def copy(self, command: Command) -> Path:
        """A new copy, with the results of a run if the command needs them."""
        if command.needs_run and not self._finished.exists():
            shutil.copytree(self._fresh, self._finished)
            if self.start(COMMANDS["run"], self._finished).wait():
                raise SystemExit((self._finished / "output").read_text())
            write_photos(self._finished / "photos", 40)
        target = self._scratch / "project"
        shutil.rmtree(target, ignore_errors=True)
        origin = self._finished if command.needs_run else self._fresh
        return shutil.copytree(origin, target)

    def start(self, command: Command, project: Path) -> "subprocess.Popen[bytes]":
        """Start a command; its output goes to a file."""
        arguments = [text.replace(URL, self._url) for text in command.arguments]
        if arguments[0] == "app":
            arguments.append(f"--port={free_port()}")
        environment = {**os.environ, "PYTHONPATH": str(project / "src")}
        with (project / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "kedro", *arguments],
                cwd=project,
                env=environment,
                stdout=output,
                stderr=output,
            )


def free_port() -> int:
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def write_photos(folder: Path, count: int) -> None:
    """Write photographs of noise."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    chance = np.random.default_rng(0)
    for number in range(count):
        pixels = chance.integers(0, 256, (192, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.jpg")


@contextmanager
def slow_server(folder: Path) -> Iterator[str]:
    """Serve an archive of photographs slowly; yields its address."""
    write_photos(folder / "photos", PHOTOS)
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for path in sorted((folder / "photos").iterdir()):
            archive.write(path, path.name)
    content = (folder / "photos.zip").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            try:
                for start in range(0, len(content), CHUNK):
                    self.wfile.write(content[start : start + CHUNK])
                    time.sleep(SECONDS_PER_CHUNK)
            except OSError:  # the client has been stopped
                return

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/photos.zip"
    server.shutdown()


def stop(
    command: Command, projects: Projects, number: int, moment: float, again: bool
) -> Stop:
    """Start a command and send it a signal at a moment, twice if asked."""
    project = projects.copy(command)
    process = projects.start(command, project)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        pass
    has_ended = process.poll() is not None
    started = time.perf_counter()
    process.send_signal(number)
    if again:
        time.sleep(0.05)
        process.send_signal(number)
    try:
        code = process.wait(4 * SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    seconds = time.perf_counter() - started
    code = 128 - code if code < 0 else code
    output = (project / "output").read_text("utf-8", errors="replace")
    problem = "" if has_ended or again else find_problem(project, command)
    return Stop(number, moment, None if has_ended else code, seconds, problem, output)


def find_problem(project: Path, command: Command) -> str:
    """What is wrong with the event log of the stopped run; empty if nothing is."""
    from image_translation.runs.pipeline_run import SUMMARY, list_runs
    from image_translation.runs.task_state import TaskFolders

    folders = TaskFolders(project / "data/smoke", TASK)
    runs = list_runs(folders)
    if not runs or command.arguments[0] not in ("run", "nightly"):
        return ""
    record = runs[-1].read()
    if record.is_bare:
        return ""
    if not record.is_over:
        return "the event log lacks the end of the run"
    if record.has_summary and not (folders.reporting / SUMMARY).exists():
        return "no summary"
    return ""


def measure(
    name: str, projects: Projects, times: int, chance: random.Random, again: bool
) -> list[Stop]:
    """Stop a command several times, with each signal in turn."""
    command = COMMANDS[name]
    seconds = command.seconds
    if seconds is None:
        project, started = projects.copy(command), time.perf_counter()
        if projects.start(command, project).wait():
            raise SystemExit((project / "output").read_text())
        seconds = time.perf_counter() - started
    stops: list[Stop] = []
    while len(stops) < times:
        number = SIGNALS[len(stops) % len(SIGNALS)]
        moment = chance.uniform(0, seconds)
        found = stop(command, projects, number, moment, again)
        if found.code is None:  # it ended before the signal
            continue
        stops.append(found)
        print(
            f"{name}, {signal.Signals(number).name} after {moment:.1f} s: exit code"
            f" {found.code} after {found.seconds:.1f} s {found.problem}",
            file=sys.stderr,
            flush=True,
        )
        if not found.is_right:
            print(*found.output.splitlines()[-12:], sep="\n    ", file=sys.stderr)
    return stops


def main() -> None:
    """Stop commands and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--twice", action="store_true", help="send every signal twice")
    arguments = parser.parse_args()
    # Commands inherit ignored signals, and shells ignore SIGINT for background jobs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chance = random.Random(arguments.seed)
    is_right = True
    with tempfile.TemporaryDirectory() as scratch, slow_server(Path(scratch)) as url:
        projects = Projects(Path(scratch), url)
        print("| command | signal | stops | right | median s | longest s |")
        print("|---|---|---:|---:|---:|---:|", flush=True)
        for name in arguments.commands:
            stops = measure(name, projects, arguments.times, chance, arguments.twice)
            is_right &= all(each.is_right for each in stops)
            for number in SIGNALS:
                these = [each for each in stops if each.number == number]
                if these:
                    seconds = sorted(each.seconds for each in these)
                    right = sum(each.is_right for each in these)
                    print(
                        f"| {name} | {signal.Signals(number).name} | {len(these)}"
                        f" | {right} | {seconds[len(seconds) // 2]:.1f}"
                        f" | {seconds[-1]:.1f} |",
                        flush=True,
                    )
    if not is_right:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
