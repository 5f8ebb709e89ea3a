"""Files of sessions, separate for each session and deleted early."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from threading import Lock

logger = logging.getLogger(__name__)

KEEP_SECONDS = 3600
"""Lifetime of files of sessions that did not end properly."""

LONGEST_NAME = 200  # bytes; file systems allow 255


class SessionFiles:
    """Folders with unguessable names, one per operation.

    Gradio's ``delete_cache`` covers only the files of its components, and only after an
    hour. Photographs and results are deleted as soon as their session ends.

    Args:
        root: Parent folder.
        clock: Returns the current time in seconds, as in file times.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root, self._clock = root, clock
        self._folders: dict[str, list[Path]] = {}
        self._lock = Lock()

    def new_folder(self, session: str) -> Path:
        """Create an empty folder, deleted at the end of the session; also deletes
        expired folders.
        """
        self._forget_old()
        folder = Path(tempfile.mkdtemp(dir=self._root, prefix="session-"))
        with self._lock:
            self._folders.setdefault(session, []).append(folder)
        return folder

    def end(self, session: str) -> None:
        """Delete all files of a session."""
        with self._lock:
            folders = self._folders.pop(session, [])
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if folders:
            logger.info("Deleted the files of a finished session")

    def _forget_old(self) -> None:
        oldest = self._clock() - KEEP_SECONDS
        with self._lock:
            for session, folders in list(self._folders.items()):
                for folder in folders[:]:
                    if not folder.is_dir() or folder.stat().st_mtime < oldest:
                        shutil.rmtree(folder, ignore_errors=True)
                        folders.remove(folder)
                if not folders:
                    del self._folders[session]


def safe_name(given: str) -> str:
    """A safe file name for an uploaded file, without path components.

    >>> safe_name("../../etc/Übung (1).JPG"), safe_name("..")
    ('Übung (1).JPG', 'photograph')
    """
    name = PurePosixPath(given.replace("\\", "/")).name
    name = "".join(c for c in name if c.isprintable()).strip().lstrip(".")
    suffix = PurePosixPath(name).suffix
    stem = name.removesuffix(suffix).encode()[:LONGEST_NAME].decode(errors="ignore")
    return f"{stem}{suffix[: LONGEST_NAME // 4]}" or "photograph"
