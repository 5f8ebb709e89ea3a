import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.framework.context import KedroContext
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_viz.api.rest.responses.run_events import (
    transform_events_to_structured_format,
)
from kedro_viz.integrations.utils import _VizNullPluginManager

from image_translation import settings
from image_translation.datasets.tables import NumbersCSVDataset
from image_translation.hooks.kedro_viz import (
    DatasetStatisticsHooks,
    show_status,
    write_status,
)
from image_translation.runs.events import EventLog

KEPT = Path("data/.viz")
"""Where the environment keeps the record."""


def double(x):
    return 2 * x


def make_context(project, data="data"):
    globals_ = {"data": data}
    return SimpleNamespace(config_loader={"globals": globals_}, project_path=project)


def run(project, task, *, error=None):
    """The status of a run of one node, from its events."""
    node = Node(double, f"{task}.x", f"{task}.y", name="double", namespace=task)
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(Path(folder))
        log.append("began")
        log.append("started", node=node.name)
        if error:
            failure = {"error": error, "code": 1, "traceback": "at line 1"}
            log.append("failed", node=node.name, **failure)
        else:
            log.append("finished", node=node.name, seconds=1.5)
        log.append("ended", status="FAILED" if error else "FINISHED")
        write_status(make_context(project), log.read(), Pipeline([node]), {})


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    return tmp_path


def status(project):
    """What kedro-viz makes of the record."""
    events = json.loads((project / KEPT / "kedro_pipeline_events.json").read_text())
    return transform_events_to_structured_format(events)


def test_run_leaves_what_kedro_viz_shows(project):
    run(project, "monet")
    shown = status(project)
    assert [node.status.value for node in shown.nodes.values()] == ["success"]
    assert [node.duration for node in shown.nodes.values()] == [1.5]
    assert {data.name for data in shown.datasets.values()} == {"monet.x", "monet.y"}
    assert shown.pipeline.error is None


def test_tasks_do_not_forget_each_other(project):
    run(project, "monet", error="no paint")
    shown = status(project)
    assert shown.pipeline.error.message == "no paint"
    run(project, "cartoon")
    shown = status(project)
    states = sorted(node.status.value for node in shown.nodes.values())
    assert states == ["failed", "success"]
    assert shown.pipeline.error is None  # the last run went well
    run(project, "monet")
    states = [node.status.value for node in status(project).nodes.values()]
    assert states == ["success", "success"]


def test_broken_record_is_replaced(project):
    (project / KEPT).mkdir(parents=True)
    (project / KEPT / "kedro_pipeline_events.json").write_text("{")
    run(project, "monet")
    assert len(status(project).nodes) == 1


def test_kedro_viz_shows_the_status_of_its_environment(project):
    run(project, "monet")
    shown = project / ".viz/kedro_pipeline_events.json"
    assert not shown.exists()
    show_status(make_context(project))
    kept = project / KEPT / "kedro_pipeline_events.json"
    assert shown.read_text() == kept.read_text()
    run(project, "cartoon")  # while kedro-viz runs
    assert shown.read_text() == kept.read_text()
    show_status(make_context(project, data="data/smoke"))
    assert not shown.exists()


def test_kedro_viz_gets_the_status_without_hooks(project, monkeypatch):
    run(project, "monet")
    monkeypatch.setattr(KedroContext, "catalog", property(lambda self: self.env))
    context = settings.CONTEXT_CLASS(
        project_path=project,
        config_loader={"globals": {"data": "data"}},
        env="smoke",
        package_name="image_translation",
        hook_manager=_VizNullPluginManager(),
    )
    monkeypatch.delitem(sys.modules, "kedro_viz.server", raising=False)
    assert context.catalog == "smoke"
    assert not (project / ".viz").exists()  # as in a run
    monkeypatch.setitem(sys.modules, "kedro_viz.server", sys)
    assert context.catalog == "smoke"
    assert (project / ".viz/kedro_pipeline_events.json").is_file()


def test_packaged_run_leaves_nothing_beside_its_data(tmp_path):
    run(tmp_path, "monet")
    assert not list(tmp_path.iterdir())


def read_table(project, name, rows):
    """What Kedro tells hooks of a run that reads a table."""
    dataset = NumbersCSVDataset(filepath=str(project / f"{name}.csv"))
    dataset.save(pd.DataFrame({"x": range(rows), "y": 0}))
    hooks = DatasetStatisticsHooks()
    hooks.after_context_created(make_context(project))
    hooks.after_catalog_created(DataCatalog({name: dataset}))
    hooks.after_dataset_loaded(name, dataset.load())
    hooks.after_pipeline_run()


def numbers(project):
    return json.loads((project / KEPT / "stats.json").read_text())


def test_tables_that_were_read_have_numbers(project):
    read_table(project, "manifest", 3)
    read_table(project, "split", 2)
    seen = numbers(project)
    assert (seen["manifest"]["rows"], seen["manifest"]["columns"]) == (3, 2)
    assert seen["manifest"]["file_size"] == (project / "manifest.csv").stat().st_size
    assert seen["split"]["rows"] == 2  # the run before is not forgotten
    read_table(project, "manifest", 5)
    assert numbers(project)["manifest"]["rows"] == 5
