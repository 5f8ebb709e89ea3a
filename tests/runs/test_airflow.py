"""The generated DAG, run by a real Airflow."""

import os
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import ENVIRONMENT, ON_BY_DEFAULT, PROJECT, copy_project

pytestmark = pytest.mark.airflow

AIRFLOW = PROJECT / ".venv-airflow" / "bin" / "airflow"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project that has never run, with the environment of this one."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    (project / ".venv").symlink_to(PROJECT / ".venv")
    return project


@pytest.fixture(scope="module")
def airflow(project, kedro):
    """Airflow with the DAG of the project."""
    template = PROJECT / "conf/airflow_dag.py.j2"
    made = kedro(
        project,
        "airflow",
        "create",
        "--env=smoke",
        "--pipelines=colorization",
        "--target-dir=dags",
        f"--jinja-file={template}",
    )
    assert made.returncode == 0, made.stderr
    environment = {
        **ENVIRONMENT,
        "AIRFLOW_HOME": str(project / ".airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PATH": f"{AIRFLOW.parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*arguments):
        return subprocess.run(
            [AIRFLOW, *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    migrated = run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return run


def test_dag_runs_to_success_and_trains_nothing_the_second_time(project, airflow):
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    summary = project / "data/smoke/08_reporting/colorization/run_summary.md"

    first = airflow("dags", "test", "colorization_smoke")
    assert first.returncode == 0, first.stdout[-5000:] + first.stderr[-5000:]
    for model in ON_BY_DEFAULT:
        assert f"- {model}: trained (replicate-0)" in summary.read_text("utf-8")
    parents, children = runs_of(client)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert len(children) == len(ON_BY_DEFAULT)
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == parents[0].info.run_id

    second = airflow("dags", "test", "colorization_smoke")
    assert second.returncode == 0, second.stdout[-5000:] + second.stderr[-5000:]
    assert summary.read_text("utf-8").count(": up to date") >= len(ON_BY_DEFAULT)
    assert "trained (" not in summary.read_text("utf-8")
    parents, still = runs_of(client)
    assert [run.info.status for run in parents] == ["FINISHED", "FINISHED"]
    assert len(still) == len(ON_BY_DEFAULT)
    for model in ON_BY_DEFAULT:  # each run links what was trained, whenever that was
        assert f"{model}.replicate-0" in parents[0].data.tags


def runs_of(client):
    """Parent runs, the newest first, and child runs."""
    experiment = client.get_experiment_by_name("colorization")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return parents, children
