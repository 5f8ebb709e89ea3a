"""Kedro hooks that lock the data of a task during a run."""

import os
from contextlib import ExitStack
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from image_translation.common.files import LockedError, lock
from image_translation.hooks.project import task_folders
from image_translation.pipeline_registry import all_tasks
from image_translation.runs.task_lock import hold_alone, hold_shared
from image_translation.runs.task_state import TaskFolders

PREPARATION_LOCK = "preparation.lock"
READERS = {"translate"}
"""Tags of nodes that do not write the data of a task."""


class TaskLockHooks:
    """Holds the locks of a run's tasks; a run that cannot acquire them does not start.

    A run holds them alone. The nodes of a shared run share them, as do the workers of a
    tuning; only one worker at a time prepares the pairs.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._shared_run_id: str | None = None
        self._held, self._preparing = ExitStack(), ExitStack()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read the id of a shared run before MLflow removes it from the environment."""
        self._context = context
        self._shared_run_id = os.environ.get("MLFLOW_RUN_ID")

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Acquire the locks before anything is written, on disk or in MLflow."""
        self._release()
        nodes = [node for node in pipeline.nodes if not READERS & node.tags]
        names = {(node.namespace or "").partition(".")[0] for node in nodes}
        is_tuning = any("tuning" in node.tags for node in nodes)
        try:
            for task in sorted(names & set(all_tasks())):
                self._hold(task_folders(self._context, task), is_tuning)
        except LockedError:
            self._release()
            raise

    def _hold(self, folders: TaskFolders, is_tuning: bool) -> None:
        if self._shared_run_id is None and not is_tuning:
            self._held.enter_context(hold_alone(folders))
            return
        self._held.enter_context(hold_shared(folders, self._shared_run_id))
        if is_tuning:
            path = folders.intermediate / PREPARATION_LOCK
            self._preparing.enter_context(lock(path, wait=True))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Let other workers prepare the pairs when this one starts its trials."""
        if "tuning" in node.tags:
            self._preparing.close()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Release the locks."""
        self._release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Release the locks."""
        self._release()

    def _release(self) -> None:
        self._preparing.close()
        self._held.close()
