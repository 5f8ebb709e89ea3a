"""Where a run is written into the journal of its task."""

import logging
import os
import time
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from image_translation.pipeline_registry import OF_ONE_TASK, TASKS
from image_translation.scheduling.conclusion import conclude
from image_translation.scheduling.journal import Journal, RunRecord, bookkeeping
from image_translation.scheduling.state import TaskFolders

logger = logging.getLogger(__name__)


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
        self._unsaved: dict[str, set[str]] = {}
        self._has_failure = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find out whose run this is; MLflow forgets it later."""
        self._context = context
        self._is_part = "MLFLOW_RUN_ID" in os.environ

    @hook_impl
    @bookkeeping()
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline
    ) -> None:
        """Begin the journal."""
        from image_translation.tracking.parents import current_parent

        task = task_of(pipeline)
        self._journal, self._unsaved, self._has_failure = None, {}, False
        if task is None or set(OF_ONE_TASK) & set(
            run_params.get("pipeline_names") or ()
        ):
            return
        journal = Journal(task_folders(self._context, task))
        if not self._is_part and journal.is_busy():
            logger.warning(
                "Another run of %s is going on: the summary will be that run's", task
            )
            return
        record = None if self._is_part else journal.begin()
        self._journal = journal
        if record is not None:
            take_over(journal, record, current_parent())

    @hook_impl
    @bookkeeping()
    def before_node_run(self, node: Node) -> None:
        """Note that a node begins."""
        self._started[node.name] = time.perf_counter()
        self._unsaved[node.name] = set(node.outputs)
        if self._journal is not None:
            self._journal.start(node.name)

    @hook_impl
    @bookkeeping()
    def after_node_run(self, node: Node) -> None:
        """Note the end of a node that has nothing to save."""
        if not node.outputs:
            self._finish(node)

    @hook_impl(trylast=True)
    @bookkeeping()
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Note the end of a node that has saved all: much is only made in saving."""
        unsaved = self._unsaved.get(node.name, set())
        unsaved.discard(dataset_name)
        if not unsaved:
            self._finish(node)

    def _finish(self, node: Node) -> None:
        self._unsaved.pop(node.name, None)
        if self._journal is not None:
            seconds = time.perf_counter() - self._started[node.name]
            self._journal.finish(node.name, seconds)

    @hook_impl
    @bookkeeping()
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Note why a node failed."""
        self._unsaved.pop(node.name, None)
        if self._journal is not None:
            self._has_failure = True
            self._journal.fail(error, node.name)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write the summary."""
        self._conclude()

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline) -> None:
        """Write the summary of a run that failed."""
        self._note_failure(error, [node.name for node in pipeline.nodes])
        self._conclude()

    @bookkeeping()
    def _note_failure(self, error: Exception, nodes: list[str]) -> None:
        if self._journal is None or self._has_failure:
            return
        outside = nodes if len(nodes) == 1 else [""]
        for node in list(self._unsaved) or outside:  # Kedro says nothing of saving
            self._journal.fail(error, node)

    @bookkeeping()
    def _conclude(self) -> None:
        if self._journal is not None and not self._is_part:
            conclude(self._journal.folders)


def take_over(journal: Journal, record: RunRecord, parent: str | None) -> None:
    """Note which run in MLflow a journal belongs to, and end those that were cut off.

    Args:
        journal: The journal.
        record: What it told when it began.
        parent: Id of the run in MLflow, if there is one.
    """
    from image_translation.tracking.parents import kill_parent
    from image_translation.tracking.store import connection

    if parent is not None:
        journal.note_parent(parent)
    for left in record.left:
        if left != parent:
            kill_parent(left)
    if record.left and not connection.is_lost:
        journal.note_killed()


def task_folders(context: KedroContext, task: str) -> TaskFolders:
    """Where an environment keeps what belongs to a task."""
    data = context.project_path / context.config_loader["globals"]["data"]
    return TaskFolders(data, task)


def task_of(pipeline: Pipeline) -> str | None:
    """The task that the nodes of a pipeline belong to, if it is one."""
    tasks = {(node.namespace or "").partition(".")[0] for node in pipeline.nodes}
    return next(iter(tasks)) if len(tasks) == 1 and tasks <= set(TASKS) else None
