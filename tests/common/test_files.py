import os
import signal
import subprocess
import sys

import pytest

from image_translation.common.files import (
    LockedError,
    atomic_folder,
    atomic_write,
    lock,
    separate_bytes,
    share_bytes,
    write_text,
)

HOLD = """
import sys, time
from pathlib import Path
from image_translation.common.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_file_is_replaced_and_its_folder_created(tmp_path):
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "über"):
        write_text(path, text)
    assert path.read_text("utf-8") == "über"
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_previous_file_is_kept_on_request(tmp_path):
    path, previous = tmp_path / "file", tmp_path / "previous"
    for text in ("first", "second"):
        with atomic_write(path, previous) as temporary:
            temporary.write_text(text)
    assert (path.read_text(), previous.read_text()) == ("second", "first")


def test_folder_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "folder"
    for name in ("old", "new"):
        with atomic_folder(folder) as temporary:
            (temporary / name).touch()
    assert [file.name for file in folder.iterdir()] == ["new"]
    with pytest.raises(OSError, match="disk full"), atomic_folder(folder) as temporary:
        (temporary / "half").touch()
        raise OSError("disk full")
    assert [file.name for file in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.fixture
def twins(tmp_path):
    """Two equal files in folders of their own."""
    files = tmp_path / "one" / "file", tmp_path / "other" / "file"
    for file in files:
        write_text(file, "same")
    return files


def test_equal_files_share_their_bytes_until_one_is_written(twins):
    copy, original = twins
    for _ in range(2):  # sharing again changes nothing
        share_bytes(copy, original)
        assert copy.samefile(original)
        assert list(copy.parent.iterdir()) == [copy]
    write_text(original, "new")
    assert (copy.read_text(), original.read_text()) == ("same", "new")


def test_different_files_do_not_share_their_bytes(twins):
    copy, original = twins
    write_text(copy, "else")
    share_bytes(copy, original)
    assert (copy.read_text(), original.read_text()) == ("else", "same")


def test_file_system_without_hard_links_keeps_the_copy(twins, monkeypatch):
    copy, original = twins

    def reject(*_):
        raise PermissionError("no hard links")

    monkeypatch.setattr("os.link", reject)
    share_bytes(copy, original)
    assert copy.read_text() == "same"
    assert not copy.samefile(original)
    assert list(copy.parent.iterdir()) == [copy]


def test_separated_file_is_spared_by_a_write_in_place(twins):
    copy, original = twins
    share_bytes(copy, original)
    separate_bytes(copy)
    original.write_text("damaged")
    assert copy.read_text() == "same"


@pytest.fixture
def hold(tmp_path):
    """Starts another process that holds the lock for some seconds."""
    processes = []

    def start(seconds):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "run.lock"), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_second_process_learns_who_holds_the_lock(tmp_path, hold):
    holder = hold(600)
    with (
        pytest.raises(LockedError, match=f"held by process {holder.pid} on "),
        lock(tmp_path / "run.lock"),
    ):
        pass
    # The attempt does not change the name of the holder.
    assert f"process {holder.pid} " in (tmp_path / "run.lock").read_text()


def test_second_process_waits_for_the_lock_on_request(tmp_path, hold):
    hold(0.5)
    with lock(tmp_path / "run.lock", wait=True):
        assert f"process {os.getpid()} " in (tmp_path / "run.lock").read_text()


def test_lock_of_a_killed_process_does_not_block(tmp_path, hold):
    holder = hold(600)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with lock(tmp_path / "run.lock"):
        assert f"process {os.getpid()} " in (tmp_path / "run.lock").read_text()


def test_lock_is_free_after_its_block(tmp_path):
    for _ in range(2):
        with lock(tmp_path / "new" / "run.lock"):
            pass
