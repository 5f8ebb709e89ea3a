"""``kedro nightly`` and ``kedro shared-run`` as a scheduler uses them."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from image_translation.pipeline_registry import MODELS
from image_translation.scheduling.conclusion import STORE_LOST
from tests.conftest import ENVIRONMENT
from tests.pairing.helpers import write

TASK = ("--task=colorization", "--env=smoke")


@pytest.fixture
def project(smoke_project, tmp_path) -> Path:
    """A copy of the project that has run once."""
    return shutil.copytree(smoke_project, tmp_path / "project")


def summary_of(project):
    reporting = project / "data/smoke/08_reporting/colorization"
    return (reporting / "run_summary.md").read_text("utf-8")


def test_night_without_new_data_trains_nothing(project, kedro):
    result = kedro(project, "nightly", *TASK)
    assert result.returncode == 0, result.stderr
    summary = summary_of(project)
    assert summary.startswith("# colorization: finished\n")
    assert "none is new" in summary
    assert "[Report](report.html)" in summary
    assert summary.count(": up to date") >= len(MODELS)
    assert "trained (" not in summary


def test_second_night_at_the_same_time_leaves_at_once(project, kedro):
    lock = project / "data/smoke/02_intermediate/colorization/run.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 4711 on elsewhere")
        file.flush()
        result = kedro(project, "nightly", *TASK)
    assert result.returncode == 75
    assert "held by process 4711 on elsewhere" in result.stderr
    assert "finished" in summary_of(project)  # that of the run before


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ("training.epochs=0", 3, "training.epochs: "),
        ("source=photos,audit.fatal=unreadable", 4, "audit.fatal: "),
    ],
)
def test_night_that_fails_leaves_code_and_summary(
    project, kedro, parameters, code, message
):
    write(project / "photos/good.png", 1)
    (project / "photos/broken.png").write_text("no image")
    result = kedro(project, "nightly", *TASK, "--params", parameters)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert message in summary_of(project)


def test_processes_of_a_shared_run_write_to_one_parent_run(project, kedro):
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    n_before = len(parents_of(client))
    began = kedro(project, "shared-run", "begin", *TASK, "--key=night 1")
    run_id = began.stdout.splitlines()[-1]
    again = kedro(project, "shared-run", "begin", *TASK, "--key=night 1")
    assert again.stdout.splitlines()[-1] == run_id

    def run_part(*arguments):
        result = subprocess.run(
            [sys.executable, "-m", "kedro", *arguments, "--env=smoke"],
            cwd=project,
            env={**ENVIRONMENT, "MLFLOW_RUN_ID": run_id},
            capture_output=True,
            text=True,
            check=False,
        )
        return result, client.get_run(run_id)

    manifest = project / "data/smoke/02_intermediate/colorization/manifest.csv"
    os.rename(manifest, manifest.with_suffix(".away"))
    node = "--nodes=colorization.assign_sides"
    failed, run = run_part("run", "--pipelines=colorization", node)
    assert failed.returncode != 0
    assert run.info.status == "RUNNING"  # it may be tried again

    ended_early, run = run_part("shared-run", "end", "--task=colorization")
    assert ended_early.returncode == 1
    assert run.info.status == "FAILED"
    assert "did not run: " in summary_of(project)

    os.rename(manifest.with_suffix(".away"), manifest)
    tried_again, run = run_part("run", "--pipelines=colorization")
    assert tried_again.returncode == 0, tried_again.stderr
    assert run.info.status == "RUNNING"

    ended, run = run_part("shared-run", "end", "--task=colorization")
    assert ended.returncode == 0, ended.stderr
    assert run.info.status == "FINISHED"
    assert summary_of(project).startswith("# colorization: finished\n")
    assert len(parents_of(client)) == n_before + 1


@pytest.fixture
def server_with_an_expired_token():
    """Address of a server that lets nobody in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(401)

        def log_message(self, *args):
            """Keep still."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("is_there", [False, True])
def test_end_of_a_shared_run_is_kept_for_a_server_that_does_not_take_it(
    project, server_with_an_expired_token, is_there
):
    host = server_with_an_expired_token if is_there else "127.0.0.1:9"
    config = {"server": {"mlflow_tracking_uri": f"http://user:secret@{host}"}}
    (project / "conf/smoke/mlflow.yml").write_text(json.dumps(config))
    result = subprocess.run(
        [sys.executable, "-m", "kedro", "shared-run", "end", *TASK],
        cwd=project,
        env={**ENVIRONMENT, "MLFLOW_RUN_ID": "a" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == STORE_LOST, result.stderr
    assert "make send" in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
    assert summary_of(project).startswith("# colorization: finished, but MLflow has")
    notes = project / "data/smoke/06_models/colorization/unsent_runs.jsonl"
    assert json.loads(notes.read_text()) == {"run": "a" * 32, "status": "FINISHED"}


def parents_of(client):
    experiment = client.get_experiment_by_name("colorization")
    runs = client.search_runs([experiment.experiment_id])
    return [run for run in runs if "mlflow.parentRunId" not in run.data.tags]


def test_run_to_be_joined_must_be_there(project):
    result = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--env=smoke", "--tags=ingestion"],
        cwd=project,
        env={**ENVIRONMENT, "MLFLOW_RUN_ID": "0" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "MLFLOW_RUN_ID: there is no run" in result.stderr
    assert "Traceback" not in result.stderr
