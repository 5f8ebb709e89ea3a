"""A lock that one run of a task holds, and that dies with its process."""

import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO


class LockedError(Exception):
    """Another run holds the lock.

    Attributes:
        exit_code: That of ``EX_TEMPFAIL`` in ``sysexits.h``: try again later.
    """

    exit_code = 75


class RunLock:
    """A lock on a file, as a context.

    The operating system releases it when the process that holds it ends, however it
    ends. What stands in the file only says who it is.

    Args:
        path: The file; made where it is missing, and left there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> "RunLock":
        """Take the lock.

        Raises:
            LockedError: Another process holds it; the message says which.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "a process that has just started"
            file.close()
            raise LockedError(f"{self.path} is held by {holder}") from error
        file.truncate(0)
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None
