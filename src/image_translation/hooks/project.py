"""Task and folders of a run, from the arguments of Kedro's hooks."""

from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.pipeline import Pipeline

from image_translation.pipeline_registry import OF_ONE_TASK, TASKS, all_tasks
from image_translation.runs.task_state import TaskFolders


def find_task(run_params: dict[str, Any]) -> str:
    """The task whose experiment and folders a run belongs to."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    names = [*names, *(run_params.get("namespaces") or ())]
    return next((name for name in names if name in all_tasks()), TASKS[0])


def is_of_task(run_params: dict[str, Any], pipeline: Pipeline) -> bool:
    """Whether a run is one of a task's own pipeline, or of a part of it."""
    tasks = {(node.namespace or "").partition(".")[0] for node in pipeline.nodes}
    chosen = set(run_params.get("pipeline_names") or ())
    return (
        len(tasks) == 1 and tasks <= set(all_tasks()) and not chosen & set(OF_ONE_TASK)
    )


def task_folders(context: KedroContext, task: str) -> TaskFolders:
    """The folders of a task in an environment."""
    return TaskFolders(data_folder(context.config_loader, context.project_path), task)


def data_folder(config_loader: Any, project: Path) -> Path:
    """The folder of all data of an environment."""
    return project / config_loader["globals"]["data"]
