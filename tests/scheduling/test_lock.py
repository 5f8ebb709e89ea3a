import os
import signal
import subprocess
import sys

import pytest

from image_translation.scheduling.lock import LockedError, RunLock

HOLD = """
import sys, time
from pathlib import Path
from image_translation.scheduling.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run.lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_second_run_is_told_who_holds_the_lock(tmp_path, holder):
    with (
        pytest.raises(LockedError, match=f"held by process {holder.pid} on "),
        RunLock(tmp_path / "run.lock"),
    ):
        pass
    # Having asked does not change who it is.
    assert f"process {holder.pid} " in (tmp_path / "run.lock").read_text()


def test_lock_of_a_process_that_was_killed_does_not_block(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with RunLock(tmp_path / "run.lock"):
        assert f"process {os.getpid()} " in (tmp_path / "run.lock").read_text()


def test_lock_is_free_after_its_run(tmp_path):
    for _ in range(2):
        with RunLock(tmp_path / "new" / "run.lock"):
            pass
