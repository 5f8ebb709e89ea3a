"""Where a run is written into the journal of its task."""

import os
import time
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from image_translation.pipeline_registry import OF_ONE_TASK, TASKS
from image_translation.scheduling.conclusion import conclude
from image_translation.scheduling.journal import Journal
from image_translation.scheduling.state import TaskFolders


class RunJournalHooks:
    """A journal for each run of a task, and a summary when it ends.

    A process that only does a part of a run, as ``MLFLOW_RUN_ID`` says, adds to the
    journal that was begun before it; its summary is written by who ends the run.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._journal: Journal | None = None
        self._is_part = False
        self._started: dict[str, float] = {}
        self._has_failure = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find out whose run this is; MLflow forgets it later."""
        self._context = context
        self._is_part = "MLFLOW_RUN_ID" in os.environ

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline
    ) -> None:
        """Begin the journal."""
        task = task_of(pipeline)
        self._journal, self._has_failure = None, False
        if task is None or set(OF_ONE_TASK) & set(
            run_params.get("pipeline_names") or ()
        ):
            return
        self._journal = Journal(task_folders(self._context, task))
        if not self._is_part:
            self._journal.begin()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Look at the clock."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Note how long a node took."""
        if self._journal is not None:
            seconds = time.perf_counter() - self._started[node.name]
            self._journal.finish(node.name, seconds)

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Note why a node failed."""
        if self._journal is not None:
            self._journal.fail(error, node.name)
            self._has_failure = True

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write the summary."""
        self._conclude()

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline) -> None:
        """Write the summary of a run that failed."""
        if self._journal is not None and not self._has_failure:
            nodes = [node.name for node in pipeline.nodes]
            self._journal.fail(error, nodes[0] if len(nodes) == 1 else "")
        self._conclude()

    def _conclude(self) -> None:
        if self._journal is not None and not self._is_part:
            conclude(self._journal.folders)


def task_folders(context: KedroContext, task: str) -> TaskFolders:
    """Where an environment keeps what belongs to a task."""
    data = context.project_path / context.config_loader["globals"]["data"]
    return TaskFolders(data, task)


def task_of(pipeline: Pipeline) -> str | None:
    """The task that the nodes of a pipeline belong to, if it is one."""
    tasks = {(node.namespace or "").partition(".")[0] for node in pipeline.nodes}
    return next(iter(tasks)) if len(tasks) == 1 and tasks <= set(TASKS) else None
