import os
import subprocess
import sys

import pytest

from image_translation.common.files import LockedError
from image_translation.runs import task_lock
from image_translation.runs.pipeline_run import begin_run
from image_translation.runs.task_lock import hold_alone, hold_shared

HOLDER = """
import sys
from pathlib import Path
from image_translation.runs.task_lock import {name}
from image_translation.runs.task_state import TaskFolders

with {name}(TaskFolders(Path(sys.argv[1]), sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(task):
    """Starts a process that holds the lock of the task until it is ended."""
    started = []

    def start(name):
        data = task.folders.intermediate.parents[1]
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER.format(name=name), data, task.folders.task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def begin_shared(folders, key="k"):
    run = begin_run(folders, key)
    run.run_id = "abc"
    return run


@pytest.mark.parametrize("hold", [hold_alone, hold_shared])
def test_sole_holder_keeps_others_out_until_its_process_is_gone(task, holder, hold):
    process = holder("hold_alone")
    message = f"works on the data of {task.folders.task}.*process {process.pid} on"
    with pytest.raises(LockedError, match=message), hold(task.folders):
        pass
    process.kill()
    process.wait()
    with hold(task.folders):
        pass


def test_sharing_processes_keep_only_sole_holders_out(task, holder):
    process = holder("hold_shared")
    with hold_shared(task.folders):
        pass
    with (
        pytest.raises(LockedError, match=f"process {process.pid} on"),
        hold_alone(task.folders),
    ):
        pass
    process.kill()
    process.wait()
    with hold_alone(task.folders):
        pass


def test_process_may_hold_the_lock_twice(task, holder):
    with hold_alone(task.folders):
        with hold_alone(task.folders):
            pass
        with pytest.raises(AssertionError):  # it left: the outer one still holds
            holder("hold_alone")
    with hold_alone(task.folders):
        pass


def test_open_shared_run_keeps_others_out(task):
    run = begin_shared(task.folders)
    for hold in (hold_alone, hold_shared):
        with (
            pytest.raises(LockedError, match="MLFLOW_RUN_ID=abc kedro shared-run end"),
            hold(task.folders),
        ):
            pass
    with hold_alone(task.folders, "k"), hold_alone(task.folders, "k"):
        pass
    with hold_shared(task.folders, "abc"):
        pass
    run.log.append("ended", status="FINISHED")
    with hold_alone(task.folders):
        pass


def test_abandoned_shared_run_keeps_no_one_out(task, monkeypatch):
    run = begin_shared(task.folders)
    monkeypatch.setattr(task_lock, "STALE_SECONDS", -1.0)
    with hold_alone(task.folders):
        pass
    with run.hold(), pytest.raises(LockedError), hold_alone(task.folders):
        pass


def test_locks_leave_nothing_that_a_later_holder_mistakes(task):
    with hold_shared(task.folders):
        names = {path.name for path in task.folders.intermediate.glob("*.lock")}
        assert f"shared-{os.getpid()}.lock" in names
    (task.folders.intermediate / "shared-1.lock").write_text("of a killed process")
    with hold_alone(task.folders):
        pass
