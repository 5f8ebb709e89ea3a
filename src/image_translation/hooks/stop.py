"""Report a run that a signal stops to all hooks; Kedro does not."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from image_translation.hooks.run_events import RunEventHooks
from image_translation.runs.events import guarded
from image_translation.runs.store import connection
from image_translation.training.interruption import Stopped


class StopHooks:
    """Calls ``on_pipeline_error`` of all hooks on a stop, as Kedro does on an error.

    Args:
        events: The hooks that record the run.
    """

    running: "StopHooks | None" = None
    """The hooks of the active run in this process, or None."""

    def __init__(self, events: RunEventHooks) -> None:
        self._events = events
        self._manager: Any = None
        self._run: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Store the manager of all hooks."""
        self._manager = context._hook_manager

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Note that a run begins."""
        _report_left()
        atexit.unregister(_report_left)
        # Functions run in reverse order, so this one runs before MLflow's, which ends the run.
        atexit.register(_report_left)
        self._run = {"run_params": run_params, "pipeline": pipeline, "catalog": catalog}
        StopHooks.running = self

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Note that the run has ended."""
        StopHooks.running = None

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Note that the run has ended."""
        StopHooks.running = None

    def report(self, stopped: BaseException) -> None:
        """Call the hooks, with short timeouts for MLflow."""
        connection.shorten_timeouts()
        with guarded():
            self._manager.hook.on_pipeline_error(error=stopped, **self._run)
        self.record(stopped)  # if a hook failed before the stop was recorded
        StopHooks.running = None

    def record(self, stopped: BaseException) -> None:
        """Record the end on disk only, without MLflow."""
        self._events.record_failure(stopped)


@contextmanager
def reported_stops() -> Iterator[None]:
    """Report a stop of the run in this context to all hooks."""
    try:
        yield
    except Stopped as stopped:
        if StopHooks.running is not None:
            StopHooks.running.report(stopped)
        raise


def _report_left() -> None:
    """Report a run that ended without a report, for example by Ctrl-C in a notebook."""
    if StopHooks.running is not None:
        StopHooks.running.report(KeyboardInterrupt())


def record_stop(stopped: Stopped) -> None:
    """Record on disk that the active run of this process was stopped, if any."""
    if StopHooks.running is not None:
        StopHooks.running.record(stopped)
