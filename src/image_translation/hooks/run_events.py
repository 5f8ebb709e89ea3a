"""Kedro hooks that record a run in the event log of its task."""

import logging
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from image_translation.common.schema import flatten
from image_translation.common.stamps import had_work
from image_translation.hooks.kedro_viz import write_status
from image_translation.hooks.logged_datasets import is_logged, log_dataset
from image_translation.hooks.project import find_task, is_of_task, task_folders
from image_translation.runs.events import guarded
from image_translation.runs.pipeline_run import (
    PipelineRun,
    begin_run,
    join_run,
)
from image_translation.runs.summary import write_summary

logger = logging.getLogger(__name__)

NAMED = 5
"""Maximum number of nodes with new results that are logged by name."""


class RunEventHooks:
    """Appends an event for each step of a run, and sends the events to MLflow.

    With ``MLFLOW_RUN_ID`` this process does a part of a shared run: it appends to the
    log of that run; the process that ends the run writes the summary.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._catalog: Any = None
        self._pipeline = Pipeline([])
        self._run: PipelineRun | None = None
        self._shared_run_id: str | None = None
        self._has_summary = self._has_failed = self._is_over = False
        self._is_described = False
        self._held = ExitStack()
        self._started: dict[str, float] = {}
        self._unsaved: dict[str, set[str]] = {}
        self._had_work: dict[str, bool | None] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read the id of a shared run before MLflow removes it from the environment."""
        self._context = context
        self._shared_run_id = os.environ.get("MLFLOW_RUN_ID")

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Begin the log, and send what MLflow lacks of earlier runs."""
        from image_translation.runs.backlog import send_backlog
        from image_translation.runs.store import connection

        self._catalog, self._pipeline = catalog, pipeline
        self._run, self._has_failed, self._is_over = None, False, False
        self._is_described = False
        self._unsaved, self._had_work = {}, {}
        self._held.close()
        connection.renew()
        with guarded():
            self._run = self._begin(find_task(run_params), run_params)
            if self._run.run_id is not None:
                self._append("described", parameters={}, tags=self._tags(self._run))
                send_backlog(self._run.folders, partial(log_dataset, catalog))

    def _begin(self, task: str, run_params: dict[str, Any]) -> PipelineRun:
        from image_translation.runs.parent_runs import current_parent

        folders = task_folders(self._context, task)
        self._has_summary = is_of_task(run_params, self._pipeline)
        if self._shared_run_id is not None:
            self._has_summary = False
            run = join_run(folders, self._shared_run_id)
            self._held.enter_context(run.hold())
            return run
        run = begin_run(folders, has_summary=self._has_summary)
        self._held.enter_context(run.hold())
        run_id = current_parent()
        if run_id is not None:
            run.run_id = run_id
        return run

    def _tags(self, run: PipelineRun) -> dict[str, str]:
        """Tags of the run in MLflow."""
        from image_translation.reporting.environment import read_commit

        return {
            "task": run.folders.task,
            "environment": self._context.env or "local",
            "code_version": read_commit(),
        }

    def _describe_once(self) -> None:
        """Record the parameters with the first result, or failure.

        They are most of what a run stores in MLflow; runs without news do without.
        """
        if self._is_described or self._run is None or self._run.run_id is None:
            return
        self._is_described = True
        task = self._run.folders.task
        with guarded():
            settings = self._catalog.load(f"params:{task}").model_dump(
                exclude={"tuning"}
            )
            values = {name: str(v) for name, v in flatten({task: settings}).items()}
            self._append("described", parameters=values)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        self._started[node.name] = time.perf_counter()
        self._unsaved[node.name] = set(node.outputs)
        self._append("started", node=node.name)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Note whether the node had work to do; record its end if it has no outputs."""
        self._had_work[node.name] = had_work()
        if had_work():
            self._describe_once()
        if not node.outputs:
            self._finish(node)

    @hook_impl(trylast=True)
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Record a dataset, and the end of a node whose last output is saved."""
        if is_logged(dataset_name, self._had_work.get(node.name)):
            self._append("saved", dataset=dataset_name)
            self._send()
        unsaved = self._unsaved.get(node.name, set())
        unsaved.discard(dataset_name)
        if not unsaved:
            self._finish(node)

    def _finish(self, node: Node) -> None:
        self._unsaved.pop(node.name, None)
        seconds = time.perf_counter() - self._started[node.name]
        self._append(
            "finished",
            node=node.name,
            seconds=round(seconds, 3),
            had_work=self._had_work.get(node.name),
        )

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        self._has_failed = True
        self._describe_once()
        with guarded():
            if self._run is not None:
                self._run.fail(error, node.name)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Record the end, and write the summary."""
        self._append_end("FINISHED")
        self._release()
        self._summarize()
        self._log_work()
        self._log_answer()

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Record the failure and the end, and write the summary."""
        self.record_failure(error)
        self._release()

    def record_failure(self, error: BaseException) -> None:
        """Record the failure and the end on disk; does nothing after the end of the run."""
        if self._is_over:
            return
        self._is_over = True
        with guarded():
            if self._run is not None and not self._has_failed:
                self._fail(self._run, error)
        self._append_end("FAILED")
        self._summarize()

    def _log_work(self) -> None:
        """Log how many nodes had new results, and how many were up to date."""
        known = {name: had for name, had in self._had_work.items() if had is not None}
        if known:
            new = [name.partition(".")[2] for name, had in known.items() if had]
            named = f": {', '.join(new[:NAMED])}" if new else ""
            more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
            made = f"{len(new)} nodes had new results{named}{more}"
            kept = len(known) - len(new)
            logger.info("%s; %d skipped: up to date", made, kept)

    def _log_answer(self) -> None:
        """Log the short answer and the path of the report, if the run includes it."""
        from image_translation.runs.summary import REPORT, read_answer

        if self._run is None or not self._includes_report():
            return
        with guarded():
            reporting, here = self._run.folders.reporting, Path.cwd()
            report = reporting / REPORT
            if (answer := read_answer(reporting)) is not None:
                logger.info(answer.best)
                logger.info(answer.adversarial)
            is_inside = report.is_relative_to(here)
            logger.info("Report: %s", report.relative_to(here) if is_inside else report)

    def _includes_report(self) -> bool:
        return any(name.endswith(".report") for name in self._pipeline.all_outputs())

    def _fail(self, run: PipelineRun, error: BaseException) -> None:
        """Record an error that no node hook has received, as one in saving."""
        only = self._pipeline.nodes[0].name if len(self._pipeline.nodes) == 1 else ""
        for node in list(self._unsaved) or [only]:
            run.fail(error, node)

    def _append_end(self, status: str) -> None:
        if self._shared_run_id is None:  # the process that began a shared run ends it
            self._append("ended", status=status)

    def _summarize(self) -> None:
        from image_translation.runs.store import connection

        with guarded():
            if self._run is not None and self._has_summary:
                write_summary(self._run, is_mlflow_lost=connection.is_lost)
        with guarded():
            if self._run is not None:
                events = self._run.log.read()
                write_status(self._context, events, self._pipeline, self._catalog)

    def _append(self, event: str, **values: Any) -> None:
        with guarded():
            if self._run is not None:
                self._run.log.append(event, **values)

    def _release(self) -> None:
        """Send the remaining events and release the run for other processes."""
        from image_translation.runs.parent_runs import leave_parent

        if self._shared_run_id is not None:
            leave_parent(self._shared_run_id)
        self._send()
        self._held.close()

    def _send(self) -> None:
        from image_translation.runs.backlog import send_run

        with guarded():
            if self._run is not None and self._run.run_id is not None:
                send_run(self._run.folder, partial(log_dataset, self._catalog))
