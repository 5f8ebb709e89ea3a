"""What kedro-viz shows of the last runs."""

import json
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro_viz.integrations.kedro.hooks_utils import EVENTS_DIR, EVENTS_FILE
from kedro_viz.integrations.kedro.run_hooks import PipelineRunStatusHook

LAST_RUN_ONLY = ("before_pipeline_run", "after_pipeline_run", "on_pipeline_error")


class RunStatusHooks(PipelineRunStatusHook):
    """kedro-viz's record of runs, for environments whose ``globals.yml`` wants it.

    kedro-viz keeps one record a project and would overwrite it with every run, also
    with one of an environment that keeps its data elsewhere. Here a run replaces what
    is known of its own nodes; the other tasks' stay.
    """

    def __init__(self) -> None:
        super().__init__()
        self._record: Path | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find out whether, and where, this environment keeps a record."""
        wanted = context.config_loader["globals"].get("run_status", False)
        is_project = (context.project_path / "pyproject.toml").is_file()
        path = context.project_path / EVENTS_DIR / EVENTS_FILE
        self._record = path if wanted and is_project else None

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline
    ) -> None:
        """Start a record; kedro-viz itself would refuse runs of a part."""
        if self._record is not None:
            super().before_pipeline_run({}, pipeline)

    def _add_event(self, event: dict[str, Any], flush: bool = False) -> None:
        self._events.append(event)
        if flush and self._record is not None:
            new = {event.get("node_id") for event in self._events}
            kept = [e for e in _read(self._record) if e.get("node_id") not in new]
            self._record.parent.mkdir(exist_ok=True)
            self._record.write_text(json.dumps(kept + self._events, indent=1), "utf-8")


def _read(record: Path) -> list[dict[str, Any]]:
    """What earlier runs have left of their nodes and datasets."""
    try:
        events = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [event for event in events if event["event"] not in LAST_RUN_ONLY]
