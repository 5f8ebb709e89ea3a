"""The environments that make creates, with stand-ins for Python and pip."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ENVIRONMENTS = (".venv", ".venv-airflow")
CREATE = """#!/bin/sh
# python -m venv [options] <folder>
[ "$2" = venv ] || exit 1
for folder in "$@"; do :; done
mkdir -p "$folder/bin"
echo "$PWD/$folder" > "$folder/bin/activate"
cp python "$folder/bin/python"
"""
PYTHON = """#!/bin/sh
# Fails where pip does: while it installs, or in an environment that it left half-written.
here=$(dirname "$0")
[ "$2" = pip ] || exit 0
[ ! -e "$here/half-written" ] || exit 1
[ ! -e interrupt ] || { touch "$here/half-written"; exit 130; }
touch "$here/package"
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder with the Makefile, the files that it depends on, and the stand-ins."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    for lock in PROJECT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path)
    for name, script in (("create", CREATE), ("python", PYTHON)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def install(project: Path, environment: str) -> subprocess.CompletedProcess:
    target = f"{environment}/.installed"
    command = ["make", target, "PYTHON=./create", "TASK=unused"]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_of_an_interrupted_installation_is_recreated(project, environment):
    folder = project / environment
    (project / "interrupt").touch()
    assert install(project, environment).returncode != 0
    assert (folder / "bin/half-written").exists()

    (project / "interrupt").unlink()
    result = install(project, environment)
    assert result.returncode == 0, result.stderr
    assert (folder / "bin/package").exists()
    assert not (folder / "bin/half-written").exists()
    assert "is up to date" in install(project, environment).stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_interrupted_update_recreates_the_environment(project, environment):
    install(project, environment)
    for lock in project.glob("requirements*.lock"):
        os.utime(lock, (2**31, 2**31))
    (project / "interrupt").touch()
    assert install(project, environment).returncode != 0
    (project / "interrupt").unlink()
    assert install(project, environment).returncode == 0
    assert not (project / environment / "bin/half-written").exists()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_working_environment_is_updated_not_recreated(project, environment):
    install(project, environment)
    (project / environment / "bin/of the user").touch()
    (project / environment / ".installed").unlink()
    assert install(project, environment).returncode == 0
    assert (project / environment / "bin/of the user").exists()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_moved_environment_is_recreated(project, environment):
    install(project, environment)
    (project / environment / "bin/activate").write_text("/old/place")
    (project / environment / "bin/stale").touch()
    assert install(project, environment).returncode == 0
    assert not (project / environment / "bin/stale").exists()


def test_environment_that_another_process_installs_is_left_alone(project):
    folder = project / ".venv"
    folder.mkdir()
    (folder / ".installing").write_text(f"{os.getpid()}\n")
    (folder / "half").touch()
    result = install(project, ".venv")
    assert result.returncode != 0
    assert f"Process {os.getpid()} is installing into .venv" in result.stdout
    assert (folder / "half").exists()
