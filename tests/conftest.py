import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from image_translation.config.parameters import LayeredConfigLoader
from image_translation.config.task_settings import TaskSettings
from image_translation.pipeline_registry import MODELS, OPTIONAL_MODELS
from image_translation.runs.store import check_store, connection
from tests.commands import run_command

PROJECT = Path(__file__).parents[1]

# One thread: two runs then add up numbers in the same order on any machine, and
# processes of tests that run side by side leave each other a core.
os.environ["OMP_NUM_THREADS"] = "1"
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}


MEMORY = Path("/dev/shm")
ROOM = 8 << 30  # bytes; a run of all tests needs less than half of it


def pytest_configure() -> None:
    """Keep temporary files in memory where there is room, and wait for no disk."""
    if MEMORY.is_dir():
        free = shutil.disk_usage(MEMORY).free
        if min(free, psutil.virtual_memory().available) > ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(autouse=True)
def all_messages_are_logged():
    """Undo the levels that the configuration of an earlier test has set."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("image_translation") and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that share a run of the smoke project.

    With two processes the first then makes it while the other has work of its own.
    """
    items.sort(key=lambda item: "smoke_project" not in item.fixturenames)


ON_BY_DEFAULT = tuple(model for model in MODELS if model not in OPTIONAL_MODELS)
"""The models that a run trains without further parameters."""


def only(*models: str) -> str:
    """Parameters that leave these trained models, beside the baselines."""
    return ",".join(
        f"models.{model}.enabled=false" for model in MODELS if model not in models
    )


def copy_project(folder: Path, database: Path | None = None) -> Path:
    """The parts of the project that a run needs, without anybody's data.

    With a database, the smoke environment starts with a copy of it.
    """
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")
    for name in ("conf", "src"):
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    (folder / "conf" / "local").mkdir()
    if database is not None:
        store = folder / "data/smoke/mlflow"
        store.mkdir(parents=True)
        shutil.copy(database, store)
    return folder


def move_project(project: Path, folder: Path) -> Path:
    """A copy of a project that was moved; nothing can be written to its old place.

    Args:
        project: The project.
        folder: Folder of the old place, which is a file afterwards, and of the new one.
    """
    old, new = folder / "old place", folder / "new place"
    shutil.copytree(project, old)
    check_store(f"sqlite:///{old}/data/smoke/mlflow/mlflow.db")
    old.rename(new)
    old.touch()
    return new


def task_settings(task: str = "colorization", **sections: object) -> TaskSettings:
    """Settings of a task in the smoke environment, with some sections replaced."""
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"), env="smoke", base_env="base", default_run_env="local"
    )
    return loader["parameters"][task].model_copy(update=sections)


@pytest.fixture(scope="session")
def kedro() -> Callable[..., subprocess.CompletedProcess]:
    """Run a Kedro command in a folder, as a user does."""

    return partial(run_command, environment=ENVIRONMENT)


@pytest.fixture(scope="session")
def smoke_project(tmp_path_factory, kedro, worker_id) -> Path:
    """A project in which ``kedro run --env=smoke`` has run once, from a sub-folder.

    All processes of a test session share it.
    """
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    project, done = shared / "project with ü", shared / "smoke_project.done"
    with FileLock(shared / "smoke_project.lock"):
        if not done.exists():
            project.mkdir()
            copy_project(project)
            command = ("run", "--pipeline=colorization", "--env=smoke")
            result = kedro(project / "conf", *command)
            assert result.returncode == 0, result.stderr
            done.touch()
    return project


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory, worker_id) -> Path:
    """A database of MLflow without runs; making its tables takes seconds."""
    from image_translation.runs.store import check_store

    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    database = shared / "empty" / "mlflow.db"
    with FileLock(shared / "empty_database.lock"):
        database.parent.mkdir(exist_ok=True)
        check_store(f"sqlite:///{database}")
    return database


@pytest.fixture(scope="module")
def store(tmp_path_factory, empty_database):
    """A store of its own with an experiment."""
    import mlflow

    folder = tmp_path_factory.mktemp("store")
    shutil.copy(empty_database, folder / "mlflow.db")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    location = (folder / "artifacts").as_uri()
    connection.renew()
    yield mlflow.MlflowClient().create_experiment(
        "colorization", artifact_location=location
    )
    mlflow.set_tracking_uri(before)
