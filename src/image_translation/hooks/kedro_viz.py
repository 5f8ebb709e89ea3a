"""The run status and the statistics that kedro-viz shows.

kedro-viz keeps one file of each for a project, and overwrites it with every run. Here each
environment keeps its own, with its data, and a run replaces only the status of its own nodes
and datasets. When kedro-viz starts, it gets links to those of the environment that it
shows; it reads the status again whenever its page is loaded.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro_viz.integrations.kedro.hooks import DatasetStatsHook
from kedro_viz.integrations.kedro.hooks_utils import (
    EVENTS_DIR,
    EVENTS_FILE,
    compute_size,
    hash_node,
)

from image_translation.common.files import write_text
from image_translation.common.foreign_internals import collected_statistics
from image_translation.hooks.project import data_folder
from image_translation.runs.events import Event

LAST_RUN_ONLY = ("before_pipeline_run", "after_pipeline_run", "on_pipeline_error")
STATISTICS_FILE = "stats.json"


def write_status(
    context: KedroContext, events: Sequence[Event], pipeline: Pipeline, catalog: Any
) -> None:
    """Write the status of a run's nodes and datasets for kedro-viz.

    Args:
        context: The context of the run.
        events: The events of the run.
        pipeline: The nodes of this process.
        catalog: The catalog, for the sizes of datasets.
    """
    file = _find_file(context, EVENTS_FILE)
    if file is None:
        return
    new = list(_translate(events, pipeline, catalog))
    ids = {event.get("node_id") for event in new}
    kept = [
        event
        for event in _read(file, [])
        if event["event"] not in LAST_RUN_ONLY and event.get("node_id") not in ids
    ]
    write_text(file, json.dumps(kept + new, indent=1))


def _translate(
    events: Sequence[Event], pipeline: Pipeline, catalog: Any
) -> Iterator[dict[str, Any]]:
    """The events of a run in kedro-viz's format."""
    nodes = {node.name: node for node in pipeline.nodes}
    failure: dict[str, Any] | None = None
    yield {"event": LAST_RUN_ONLY[0], "timestamp": _format(events[0]["time"])}
    for event in events:
        kind, node = event["event"], nodes.get(event.get("node", ""))
        if kind == "failed":
            failure = {name: event[name] for name in ("error", "traceback")}
            failure["timestamp"] = _format(event["time"])
        if node is None:
            continue
        about = {"node": node.name, "node_id": hash_node(node)}
        if kind == "finished":
            failure = None
            yield from (_dataset("loaded", name, catalog) for name in node.inputs)
            done = {"duration": event["seconds"], "status": "success"}
            yield {"event": "after_node_run", **about, **done}
            yield from (_dataset("saved", name, catalog) for name in node.outputs)
        elif kind == "failed":
            yield {"event": "on_node_error", **about, **(failure or {})}
    if failure is None:
        yield {"event": LAST_RUN_ONLY[1], "timestamp": _format(events[-1]["time"])}
    else:
        yield {"event": LAST_RUN_ONLY[2], **failure}


def _dataset(verb: str, name: str, catalog: Any) -> dict[str, Any]:
    return {
        "event": f"after_dataset_{verb}",
        "dataset": name,
        "node_id": hash_node(name),
        "status": "Available",
        "size": compute_size(name, catalog),
    }


def _format(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class DatasetStatisticsHooks(DatasetStatsHook):
    """Rows, columns and bytes of the tables that the latest runs have read."""

    def __init__(self) -> None:
        super().__init__()
        self._file: Path | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find the statistics of this environment."""
        self._file = _find_file(context, STATISTICS_FILE)

    @hook_impl
    def after_pipeline_run(self) -> None:
        if self._file is not None:
            seen = collected_statistics(self)
            new = {name: self.format_stats(found) for name, found in seen.items()}
            content = {**_read(self._file, {}), **new}
            write_text(self._file, json.dumps(content, indent=1))


class ProjectContext(KedroContext):
    """Kedro's context; shows the status of its environment if kedro-viz starts.

    kedro-viz calls no hooks, unless it is started with ``--include-hooks``.
    """

    @property
    def catalog(self) -> CatalogProtocol:
        """The catalog of the environment."""
        if "kedro_viz.server" in sys.modules:
            show_status(self)
        return super().catalog


def show_status(context: KedroContext) -> None:
    """Link status and statistics of an environment to where kedro-viz reads them."""
    for name in (EVENTS_FILE, STATISTICS_FILE):
        kept = _find_file(context, name)
        if kept is None:
            return
        shown = context.project_path / EVENTS_DIR / name
        shown.unlink(missing_ok=True)
        shown.parent.mkdir(exist_ok=True)
        shown.symlink_to(os.path.relpath(kept, shown.parent))


def _find_file(context: KedroContext, name: str) -> Path | None:
    """The file of an environment; a packaged project has none."""
    project = context.project_path
    if not (project / "pyproject.toml").is_file():
        return None
    return data_folder(context.config_loader, project) / EVENTS_DIR / name


def _read(file: Path, nothing: Any) -> Any:
    """The content of earlier runs."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return nothing
