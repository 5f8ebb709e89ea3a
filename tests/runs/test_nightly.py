"""``kedro nightly`` and ``kedro shared-run`` as a scheduler uses them."""

import fcntl
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from image_translation.runs.exit_codes import ExitCode
from image_translation.runs.mlflow_position import is_pending
from image_translation.runs.pipeline_run import begin_run, list_runs
from image_translation.runs.task_state import TaskFolders
from tests.commands import run_command
from tests.conftest import ENVIRONMENT, ON_BY_DEFAULT, move_project
from tests.pairing.helpers import write

TASK = ("--task=colorization", "--env=smoke")


@pytest.fixture
def project(smoke_project, tmp_path) -> Path:
    """A copy of the project that has run once, and was moved."""
    return move_project(smoke_project, tmp_path)


def folders_of(project):
    return TaskFolders(project / "data/smoke", "colorization")


def last_run(project):
    return list_runs(folders_of(project))[-1]


def summary_of(project):
    return (folders_of(project).reporting / "run_summary.md").read_text("utf-8")


def client_of(project):
    return MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")


def begin_parent(client):
    experiment = client.get_experiment_by_name("colorization")
    return client.create_run(experiment.experiment_id).info.run_id


def join(project, run_id, *arguments):
    """A Kedro command as a part of a shared run."""
    environment = {**ENVIRONMENT, "MLFLOW_RUN_ID": run_id}
    return run_command(project, *arguments, environment=environment)


def test_night_without_new_data_trains_nothing(project, kedro):
    result = kedro(project, "nightly", *TASK)
    assert result.returncode == 0, result.stderr
    summary = summary_of(project)
    assert summary.startswith("# colorization: finished\n")
    assert "no changes" in summary
    assert "[Report](report.html)" in summary
    assert summary.count(": up to date") >= len(ON_BY_DEFAULT)
    assert "trained (" not in summary


def test_night_after_one_that_was_cut_off_says_so(project, kedro):
    client, left = client_of(project), begin_parent(client_of(project))
    interrupted = begin_run(folders_of(project))  # no process holds it
    interrupted.run_id = left
    interrupted.log.append("started", node="colorization.unet.train")
    result = kedro(project, "nightly", *TASK)
    assert result.returncode == 0, result.stderr
    assert client.get_run(left).info.status == "KILLED"
    assert "was interrupted in colorization.unet.train." in summary_of(project)
    run = last_run(project)
    assert run.read().is_over
    assert client.get_run(run.run_id).info.status == "FINISHED"


@contextmanager
def busy(project):
    """Hold the lock of the task as another process does."""
    lock = project / "data/smoke/02_intermediate/colorization/run.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 4711 on elsewhere")
        file.flush()
        yield


@pytest.mark.parametrize(
    "command",
    [
        ("nightly", *TASK),
        ("run", "--pipeline=colorization", "--env=smoke"),
        ("run", "--pipeline=tuning", "--env=smoke", "--params=task=colorization"),
        ("promote", *TASK, "--version=1"),
        ("clean", *TASK),
        ("shared-run", "begin", *TASK, "--key=k"),
    ],
)
def test_second_writer_leaves_at_once(project, kedro, command):
    runs = list_runs(folders_of(project))
    with busy(project):
        result = kedro(project, *command)
    assert result.returncode == 75, result.stderr
    assert "held by process 4711 on elsewhere" in result.stderr
    assert "Traceback" not in result.stderr
    assert "finished" in summary_of(project)  # that of the run before
    assert len(list_runs(folders_of(project))) == len(runs)


def test_busy_task_is_not_sent_by_others(project, kedro):
    with busy(project):
        result = kedro(project, "send", "--env=smoke")
    assert result.returncode == 0, result.stderr
    assert (
        "Not sent: another command works on the data of colorization" in result.stderr
    )


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
    client = client_of(project)
    n_before = len(parents_of(client))
    began = kedro(project, "shared-run", "begin", *TASK, "--key=night 1")
    run_id = began.stdout.splitlines()[-1]
    again = kedro(project, "shared-run", "begin", *TASK, "--key=night 1")
    assert again.stdout.splitlines()[-1] == run_id

    def run_part(*arguments):
        return join(project, run_id, *arguments), client.get_run(run_id)

    manifest = project / "data/smoke/02_intermediate/colorization/manifest.csv"
    os.rename(manifest, manifest.with_suffix(".away"))
    node = "--nodes=colorization.assign_subsets"
    failed, run = run_part("run", "--env=smoke", "--pipelines=colorization", node)
    assert "manifest.csv is damaged" in failed.stderr
    assert run.info.status == "RUNNING"  # it may be tried again

    ended_early, run = run_part("shared-run", "end", *TASK)
    assert ended_early.returncode == ExitCode.BAD_INPUT
    assert run.info.status == "FAILED"
    assert "did not run: " in summary_of(project)

    os.rename(manifest.with_suffix(".away"), manifest)
    tried_again, run = run_part("run", "--env=smoke", "--pipelines=colorization")
    assert tried_again.returncode == 0, tried_again.stderr
    assert run.info.status == "RUNNING"

    ended, run = run_part("shared-run", "end", *TASK)
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
    run = last_run(project)
    run.run_id = "a" * 32
    result = join(project, "a" * 32, "shared-run", "end", *TASK)
    assert result.returncode == ExitCode.MLFLOW_LOST, result.stderr
    assert "make send" in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
    assert summary_of(project).startswith("# colorization: finished, but MLflow lacks")
    assert is_pending(run.folder)
    ended = run.log.read()[-1]
    assert (ended["event"], ended["status"]) == ("ended", "FINISHED")


def test_server_that_lets_nobody_in_at_the_start_is_an_input(
    project, kedro, server_with_an_expired_token
):
    uri = f"http://user:secret@{server_with_an_expired_token}"
    config = {"server": {"mlflow_tracking_uri": uri}}
    (project / "conf/smoke/mlflow.yml").write_text(json.dumps(config))
    result = kedro(project, "nightly", *TASK)
    assert result.returncode == 3, result.stderr
    assert "401" in result.stderr
    assert "MLFLOW_TRACKING_TOKEN" in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
    assert "401" in summary_of(project)


def test_shared_run_with_a_wrong_parameter_does_not_begin(project, kedro):
    n_before = len(parents_of(client_of(project)))
    typo = project / "conf/smoke/parameters_typo.yml"
    typo.write_text("training: {epoch: 3}")
    began = kedro(project, "shared-run", "begin", *TASK, "--key=night 1")
    assert began.returncode == 3, began.stderr
    assert not began.stdout
    assert "Traceback" not in began.stderr
    assert len(parents_of(client_of(project))) == n_before

    ended = join(project, "", "shared-run", "end", *TASK)  # as Airflow has it
    assert ended.returncode == 3, ended.stderr
    for told in (began.stderr, summary_of(project)):
        assert "Did you mean training.epochs?" in told
    assert "did not run: " in summary_of(project)

    ended = join(project, "", "shared-run", "end", *TASK)  # of a run that never began
    assert ended.returncode == 1, ended.stderr
    assert "training.epoch" not in summary_of(project)


def test_shared_run_is_ended_also_when_nothing_can_be_told_of_it(project):
    client = client_of(project)
    run_id = begin_parent(client)
    run = begin_run(folders_of(project), "night 1")
    run.run_id = run_id
    run.log.path.write_text("torn")
    result = join(project, run_id, "shared-run", "end", *TASK)
    assert result.returncode == 1
    assert "events.jsonl cannot be read" in result.stderr
    assert client.get_run(run_id).info.status == "FAILED"


def parents_of(client):
    experiment = client.get_experiment_by_name("colorization")
    runs = client.search_runs([experiment.experiment_id])
    return [run for run in runs if "mlflow.parentRunId" not in run.data.tags]


def test_run_to_be_joined_must_be_there(project):
    result = join(project, "0" * 32, "run", "--env=smoke", "--tags=ingestion")
    assert result.returncode == ExitCode.BAD_INPUT
    assert "MLFLOW_RUN_ID: this MLflow store has no run" in result.stderr
    assert "Traceback" not in result.stderr
