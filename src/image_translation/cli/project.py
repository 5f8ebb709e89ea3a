"""The project as commands other than ``kedro run`` open it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol

from image_translation.hooks.project import data_folder, task_folders
from image_translation.runs.task_lock import hold_alone
from image_translation.runs.task_state import TaskFolders


def find_data(project: Path, env: str | None) -> Path:
    """The folder of all data of an environment."""
    loader = settings.CONFIG_LOADER_CLASS(
        str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
    return data_folder(loader, project)


def find_folders(project: Path, task: str, env: str | None) -> TaskFolders:
    """The folders of a task, even where its run cannot start."""
    return TaskFolders(find_data(project, env), task)


@contextmanager
def open_context(
    metadata: ProjectMetadata, env: str | None, params: dict[str, Any] | None = None
) -> Iterator[Any]:
    """The project's context, with MLflow set up as in a run."""
    session: Any = KedroSession.create(
        metadata.project_path, env=env, runtime_params=params
    )
    with session:
        yield session.load_context()


@contextmanager
def open_catalog(
    metadata: ProjectMetadata, env: str | None
) -> Iterator[CatalogProtocol]:
    """The project's catalog, with MLflow set up as in a run."""
    with open_context(metadata, env) as context:
        yield context.catalog


@contextmanager
def open_alone(metadata: ProjectMetadata, task: str, env: str | None) -> Iterator[Any]:
    """The project's context; holds the lock of the task's data."""
    with (
        open_context(metadata, env) as context,
        hold_alone(task_folders(context, task)),
    ):
        yield context
