"""Run the app's server and manage its temporary folder."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from image_translation.app.workbench import Workbench
from image_translation.common.errors import InputError
from image_translation.common.files import LockedError, lock

logger = logging.getLogger(__name__)

PREFIX = "image-translation-"
"""Prefix of the names of temporary folders."""

LOCK = "app.lock"
"""Lock file in a temporary folder; the app holds the lock while it runs."""

INSTALL = (
    "The app needs Gradio, which is not installed. Install it: "
    '.venv/bin/pip install -e ".[app]"'
)


def require_gradio() -> None:
    """Check that Gradio is installed.

    Raises:
        InputError: Gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise InputError(INSTALL)


def serve(
    workbench: Workbench, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve the page until an exception ends it, as on Ctrl-C.

    Args:
        workbench: The workbench.
        host: Interface to bind to.
        port: Port to bind to.
        ready: Called with the page's URL once it responds.

    Raises:
        InputError: Gradio is not installed, or the port is in use.
    """
    require_gradio()
    with _own_folder() as folder:
        _prepare(folder)
        with _without_proxies():
            from image_translation.app.page import launch

            page = launch(workbench, folder, host, port)
        try:
            ready(str(page.local_url))
            threading.Event().wait()
        finally:
            page.close(verbose=False)
            logger.info("The app has stopped; deleting its temporary files")


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder of this process, for its own files and those of libraries.

    Also removes the folders, with photographs, that killed apps left.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        with lock(folder / LOCK):
            tempfile.tempdir = name
            try:
                yield folder
            finally:
                tempfile.tempdir = before


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        mark = folder / LOCK
        try:
            is_own = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
            if not (is_own and mark.is_file()):
                continue
            with lock(mark):
                pass
        except (LockedError, OSError):  # in use, or of another user
            continue
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("Deleted the temporary files of a killed app: %s", folder)


@contextmanager
def _without_proxies() -> Iterator[None]:
    """Ignore proxies, through which Gradio would otherwise call its own server."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        del os.environ["no_proxy"]
        if before is not None:
            os.environ["no_proxy"] = before


def _prepare(folder: Path) -> None:
    """Set environment variables that Gradio reads: folder, telemetry and workers."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ.pop("GRADIO_NUM_WORKERS", None)  # workers serve files without the guard
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
