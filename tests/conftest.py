import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

# One thread: two runs then add up numbers in the same order on any machine.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def copy_project(folder: Path) -> Path:
    """The parts of the project that a run needs, without anybody's data."""
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")
    for name in ("conf", "src"):
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    (folder / "conf" / "local").mkdir()
    return folder


@pytest.fixture(scope="session")
def kedro() -> Callable[..., subprocess.CompletedProcess]:
    """Run a Kedro command in a folder, as a user does."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def smoke_project(tmp_path_factory, kedro) -> Path:
    """A project in which ``kedro run --env=smoke`` has run once, from a sub-folder."""
    project = copy_project(tmp_path_factory.mktemp("project with ü"))
    result = kedro(project / "conf", "run", "--pipeline=colorization", "--env=smoke")
    assert result.returncode == 0, result.stderr
    return project
