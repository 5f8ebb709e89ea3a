"""A signal stops a command wherever it arrives."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from unittest import mock

import pytest
from mlflow import MlflowClient
from PIL import ImageFile

from image_translation.cli import stopping
from image_translation.cli.stopping import stoppable
from image_translation.imaging.decoding import open_image
from image_translation.imaging.photo_files import read_photo
from image_translation.runs.events import EventLog
from image_translation.runs.mlflow_position import Sent
from image_translation.runs.mlflow_sender import Sender
from image_translation.runs.pipeline_run import list_runs
from image_translation.runs.store import connection
from image_translation.runs.task_state import TaskFolders
from image_translation.sources import kaggle, remote
from image_translation.training.interruption import (
    Stopped,
    StopRequest,
    interruptible,
)
from tests.commands import run_command
from tests.conftest import ENVIRONMENT
from tests.pairing.helpers import write

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def stopped(monkeypatch):
    """A block that a signal stops; the watchdog leaves the tests alone."""
    monkeypatch.setattr(stopping, "SECONDS_TO_STOP", 3600)
    monkeypatch.setattr(stopping, "atexit", mock.Mock())

    class Block:
        def __enter__(self):
            self._raises = pytest.raises(Stopped)
            self._raises.__enter__()
            self._stoppable = stoppable()
            self._stoppable.__enter__()

        def __exit__(self, *error):
            if self._stoppable.__exit__(*error):
                error = (None, None, None)
            return self._raises.__exit__(*error)

    yield Block()
    signal.set_wakeup_fd(-1)


def interrupt(*arguments, **options):
    os.kill(os.getpid(), signal.SIGTERM)


def test_call_of_mlflow_is_stopped(stopped, tmp_path, monkeypatch):
    EventLog(tmp_path).append("described", parameters={"a": 1})
    Sent(run_id="a" * 32).write(tmp_path)
    monkeypatch.setattr(Sender, "_check_run", interrupt)
    with stopped:
        Sender(tmp_path).send()
    assert not connection.is_lost


@pytest.mark.parametrize("read", [open_image, read_photo])
def test_decoding_of_a_photograph_is_stopped(stopped, tmp_path, monkeypatch, read):
    write(tmp_path / "good.png", 1)
    monkeypatch.setattr(ImageFile.ImageFile, "load", interrupt)
    with stopped:
        read(tmp_path / "good.png")


def test_download_is_stopped(stopped, tmp_path, monkeypatch):
    write(tmp_path / "bucket/good.png", 1)
    monkeypatch.setattr(remote, "_fetch_batch", interrupt)
    with stopped:
        remote.fetch((tmp_path / "bucket").as_uri(), tmp_path / "cache")


def test_download_from_kaggle_is_stopped(stopped, monkeypatch):
    import kagglehub

    monkeypatch.setattr(kagglehub, "dataset_download", interrupt)
    with stopped:
        kaggle.download("kaggle:owner/photographs")


@SIGNALS
def test_recorded_signal_stops_interruptible_work(number):
    with StopRequest() as request:
        os.kill(os.getpid(), number)
        assert request.number == number
        with pytest.raises(Stopped) as stop, interruptible():
            pytest.fail("begun")
    assert stop.value.exit_code == 128 + number


def test_signal_breaks_off_interruptible_work():
    with StopRequest() as request:
        with pytest.raises(Stopped), interruptible():
            interrupt()
            pytest.fail("continued")
        assert request.number == signal.SIGTERM


STUBBORN = """
import time
from image_translation.cli import stopping

stopping.SECONDS_TO_STOP = {seconds}
with stopping.stoppable():
    print("begun", flush=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            time.sleep(1)
        except BaseException:  # as some libraries do
            pass
"""


def start_stubborn(seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN.format(seconds=seconds)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.5)  # until it sleeps
    return process


@SIGNALS
def test_process_that_does_not_stop_is_ended(number):
    process = start_stubborn(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Not stopped within 0.5 seconds" in said


@SIGNALS
def test_second_signal_ends_the_process_at_once(number):
    process = start_stubborn(50)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number


def interrupt_first_call(number):
    """Send this process a signal within MLflow's first call by an event log."""
    log_batch = MlflowClient.log_batch

    def interrupt(self, run_id, **values):
        if values.get("params"):
            MlflowClient.log_batch = log_batch
            os.kill(os.getpid(), number)
        return log_batch(self, run_id, **values)

    MlflowClient.log_batch = interrupt


@SIGNALS
@pytest.mark.parametrize("command", ["run", "nightly"])
def test_stopped_run_is_recorded(smoke_project, tmp_path, number, command):
    project = shutil.copytree(smoke_project, tmp_path / "project")
    arguments = {
        "run": ["run", "--pipeline=colorization", "--env=smoke", "--tags=ingestion"],
        "nightly": ["nightly", "--env=smoke"],
    }[command] + ["--params=audit.near_duplicates=false"]  # news for MLflow
    name = signal.Signals(number).name
    result = run_command(
        project,
        *arguments,
        environment=ENVIRONMENT,
        prepare=partial(interrupt_first_call, number),
    )
    assert result.returncode == 128 + number, result.stderr
    assert f"Stopped by {name}" in result.stderr
    assert "Traceback" not in result.stderr
    assert "MLflow cannot be reached" not in result.stderr
    folders = TaskFolders(project / "data/smoke", "colorization")
    run = list_runs(folders)[-1]
    assert run.read().is_over
    assert [failure.code for failure in run.read().failures.values()] == [128 + number]
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    assert client.get_run(run.run_id).info.status == "FAILED"
    if command == "nightly":
        summary = (folders.reporting / "run_summary.md").read_text("utf-8")
        assert summary.startswith("# colorization: interrupted\n")
