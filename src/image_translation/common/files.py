"""Atomic writes, regular files and file locks."""

import errno
import filecmp
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def atomic_write(path: Path, previous: Path | None = None) -> Iterator[Path]:
    """Replace a file atomically: readers see the old content or the new one.

    Args:
        path: The file. Its folder is created where it is missing.
        previous: Where the old file is moved; it is overwritten if not given.

    Yields:
        The path to write to. The file is flushed to disk and renamed when the block
        ends, and removed when it raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if previous is not None and path.exists():
        path.replace(previous)
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")


def share_bytes(path: Path, original: Path) -> None:
    """Replace a file by a hard link to an equal one, so that both need the space of one.

    An atomic write of either ends this; a write in place would change both. Without equal
    contents, or on a file system without hard links, the file stays as it is.
    """
    with suppress(OSError):
        if path.samefile(original) or not filecmp.cmp(path, original, shallow=False):
            return
        with atomic_write(path) as temporary:
            temporary.unlink(missing_ok=True)
            os.link(original, temporary)


def separate_bytes(path: Path) -> None:
    """Replace a hard link by a copy, so that damage to the other file spares this one."""
    if path.stat().st_nlink > 1:
        with atomic_write(path) as temporary:
            shutil.copy2(path, temporary)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Replace a folder at once; the old one is kept until the new one is complete.

    Args:
        folder: The folder. Its parent is created where it is missing.

    Yields:
        An empty folder to fill. It is renamed when the block ends, and removed when it
        raises.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    previous = folder.with_name(f".{folder.name}.old")
    if previous.exists() and not folder.exists():
        previous.replace(folder)  # a process was killed while it replaced the folder
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(previous, ignore_errors=True)
    if folder.exists():
        folder.replace(previous)
    temporary.replace(folder)
    shutil.rmtree(previous, ignore_errors=True)


def is_special(path: Path) -> bool:
    """True for a FIFO, a socket or a device, or a link to one.

    Opening such a file may wait for another process, or yield endless data. A path that
    cannot be examined, such as a broken link, is not special: opening it fails.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_regular(path: Path) -> Path:
    """Return the path if the file is safe to open.

    Raises:
        OSError: The path is a FIFO, a socket or a device, or a link to one.
    """
    if is_special(path):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path


class LockedError(Exception):
    """Another process holds the lock; the message names it."""


@contextmanager
def lock(path: Path, *, wait: bool | float = False) -> Iterator[None]:
    """Hold a lock that the operating system releases when the process ends.

    The lock file stays in place; its content only names the holder.

    Args:
        path: The lock file. Its folder is created where it is missing.
        wait: True to wait until the lock is free, or the number of seconds to wait.

    Raises:
        LockedError: Another process holds the lock and does not release it in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file_lock = FileLock(path, thread_local=False)
    seconds = wait if isinstance(wait, float) else -1 if wait else 0
    try:
        file_lock.acquire(timeout=seconds)
    except Timeout as error:
        holder = path.read_text("utf-8").strip() or "a process that has just started"
        raise LockedError(f"{path} is held by {holder}") from error
    try:
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        name = f"process {os.getpid()} on {socket.gethostname()} since {now}"
        with suppress(OSError):  # locking works on a full disk too
            path.write_text(f"{name}\n", "utf-8")
        yield
    finally:
        with suppress(OSError):
            path.write_text("", "utf-8")
        file_lock.release()


def is_locked(path: Path) -> bool:
    """True if a process holds the lock."""
    if not path.exists():
        return False
    try:
        with lock(path):
            return False
    except LockedError:
        return True
