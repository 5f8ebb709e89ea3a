"""A real ``mlflow server`` on loopback, killed in the middle of a training."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from image_translation.runs.exit_codes import ExitCode
from image_translation.runs.pipeline_run import list_runs
from image_translation.runs.task_state import TaskFolders
from tests.commands import Command
from tests.conftest import ENVIRONMENT, only

EPOCHS = 4
PARAMETERS = f"training.epochs={EPOCHS},report.gallery=1,{only('unet')}"


class Server:
    """An MLflow server with a database and artifacts of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--port", str(self.port), "--host", "127.0.0.1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        # Its workers for jobs of its own, which nobody asks for here, are slow to start.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1)
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "server")
    server.start()
    yield server
    server.kill()


def start_kedro(project: Path, *arguments: str) -> Command:
    return Command(project, arguments, ENVIRONMENT)


def test_run_stops_within_seconds_of_a_signal_while_the_server_hangs(
    smoke_project, server, tmp_path
):
    project = tmp_path / "project"
    shutil.copytree(smoke_project, project)
    shutil.rmtree(project / "data/smoke/06_models")
    config = json.dumps({"server": {"mlflow_tracking_uri": server.uri}})
    (project / "conf/smoke/mlflow.yml").write_text(config)
    parameters = f"training.epochs=1000,{only('unet')}"
    command = ("run", "--pipeline=colorization", "--env=smoke", "--params", parameters)
    folder = project / "data/smoke/06_models/colorization/unet/replicate-0"

    running = start_kedro(project, *command)
    while not (folder / "history.csv").exists() and running.poll() is None:
        time.sleep(0.01)
    os.killpg(server.process.pid, signal.SIGSTOP)
    time.sleep(2)  # until the training waits for an answer
    started = time.monotonic()
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate()
    assert time.monotonic() - started < 15
    assert running.returncode == ExitCode.TERMINATED, said
    assert "to resume it, run the same command again" in said
    assert (folder / "checkpoint.pt").exists()
    run = list_runs(TaskFolders(project / "data/smoke", "colorization"))[-1].read()
    assert run.is_over
    (failure,) = run.failures.values()
    assert failure.code == ExitCode.TERMINATED
    summary = project / "data/smoke/08_reporting/colorization/run_summary.md"
    assert "was stopped in epoch" in summary.read_text("utf-8")


def test_server_killed_in_a_training_gets_the_backlog(
    smoke_project, kedro, server, tmp_path
):
    project = tmp_path / "project"
    shutil.copytree(smoke_project, project)
    shutil.rmtree(project / "data/smoke/06_models")
    config = json.dumps({"server": {"mlflow_tracking_uri": server.uri}})
    (project / "conf/smoke/mlflow.yml").write_text(config)
    command = ("run", "--pipeline=colorization", "--env=smoke", "--params", PARAMETERS)
    folder = project / "data/smoke/06_models/colorization/unet/replicate-0"

    running = start_kedro(project, *command)
    client = MlflowClient(server.uri)
    while not (folder / "history.csv").exists() and running.poll() is None:
        time.sleep(0.01)
    server.kill()  # after the first epoch
    _, said = running.communicate()
    assert running.returncode == ExitCode.MLFLOW_LOST, said
    assert "MLflow cannot be reached any more" in said
    assert "make send" in said
    assert "Traceback" not in said
    weights = (folder / "weights.safetensors").stat().st_mtime_ns
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1, 2, 3, 4]
    reporting = project / "data/smoke/08_reporting/colorization"
    assert json.loads((reporting / "promotion.json").read_text())["outcome"] == (
        "not decided"
    )

    server.start()
    sent = kedro(project, "send", "--env=smoke")
    assert sent.returncode == 0, sent.stderr
    assert (folder / "weights.safetensors").stat().st_mtime_ns == weights
    experiment = client.get_experiment_by_name("colorization")
    runs = client.search_runs([experiment.experiment_id])
    (child,) = (run for run in runs if run.data.tags.get("model") == "unet")
    (parent,) = (run for run in runs if run is not child)
    assert (child.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert "test/psnr" in child.data.metrics
    assert len(child.outputs.model_outputs) == 1
    for curve in ("train/l1", "validation/psnr"):
        points = client.get_metric_history(child.info.run_id, curve)
        assert sorted(point.step for point in points) == [1, 2, 3, 4]
    pictures = client.list_artifacts(child.info.run_id, "images")
    assert sum(file.path.endswith(".png") for file in pictures) == 1 + EPOCHS
    reports = client.list_artifacts(parent.info.run_id, "report")
    assert "report/report.html" in [file.path for file in reports]
    assert parent.data.tags["promotion"] == "not decided"
    assert parent.data.tags["unet.replicate-0"] == child.info.run_id
    assert "test/psnr" in parent.data.metrics
    assert parent.data.tags["best_model"] == "unet"

    again = kedro(project, *command, "--tags", "training,promotion")
    assert again.returncode == 0, again.stderr
    assert "0 nodes had new results" in again.stderr
    assert (folder / "weights.safetensors").stat().st_mtime_ns == weights
    points = client.get_metric_history(child.info.run_id, "train/l1")
    assert len(points) == EPOCHS
    champion = client.get_model_version_by_alias("colorization", "champion")
    assert champion.tags["run"] == child.info.run_id
