"""What kedro-viz shows of the last runs.

kedro-viz keeps one record a project and would overwrite it with every run, also with one
of an environment that keeps its data elsewhere. Here an environment whose
``globals.yml`` wants it keeps one, and a run replaces what is known of its own nodes and
datasets; the other tasks' stay.
"""

import json
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro_viz.integrations.kedro.hooks import DatasetStatsHook
from kedro_viz.integrations.kedro.hooks_utils import EVENTS_DIR, EVENTS_FILE
from kedro_viz.integrations.kedro.run_hooks import PipelineRunStatusHook

LAST_RUN_ONLY = ("before_pipeline_run", "after_pipeline_run", "on_pipeline_error")
STATISTICS_FILE = "stats.json"


class _Recorded:
    """A record of kedro-viz's; comes before its hooks among the bases."""

    file: str

    def __init__(self) -> None:
        super().__init__()
        self._record: Path | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find out whether, and where, this environment keeps the record."""
        wanted = context.config_loader["globals"].get("run_status", False)
        project = context.project_path
        is_kept = wanted and (project / "pyproject.toml").is_file()
        self._record = project / EVENTS_DIR / self.file if is_kept else None


class RunStatusHooks(_Recorded, PipelineRunStatusHook):
    """Which nodes and datasets the last runs have passed, and in what time."""

    file = EVENTS_FILE

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
            kept = [
                event
                for event in _read(self._record, [])
                if event["event"] not in LAST_RUN_ONLY
                and event.get("node_id") not in new
            ]
            _write(self._record, kept + self._events)


class DatasetStatisticsHooks(_Recorded, DatasetStatsHook):
    """How many rows, columns and bytes the tables have that the last runs have read."""

    file = STATISTICS_FILE

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write what was seen."""
        if self._record is not None:
            new = {name: self.format_stats(seen) for name, seen in self._stats.items()}
            _write(self._record, {**_read(self._record, {}), **new})


def _read(record: Path, nothing: Any) -> Any:
    """What earlier runs have left."""
    try:
        return json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return nothing


def _write(record: Path, content: Any) -> None:
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(content, indent=1), "utf-8")
