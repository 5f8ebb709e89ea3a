"""The app while it runs: its server, and its folder, which goes with it."""

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from image_translation.app.workbench import Workbench
from image_translation.errors import InputError

logger = logging.getLogger(__name__)

INSTALL = (
    "The app needs Gradio, which is not installed. Install it: "
    '.venv/bin/pip install -e ".[app]"'
)


def require_gradio() -> None:
    """Make sure that the page can be made.

    Raises:
        InputError: Gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise InputError(INSTALL)


def serve(
    workbench: Workbench, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve the page until the process is told to end (Ctrl-C, SIGTERM).

    Args:
        workbench: What the page does.
        host: The address to listen at.
        port: The port.
        ready: Told the page's URL once it answers.

    Raises:
        InputError: Gradio is not installed, or the port is taken.
    """
    require_gradio()
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        with tempfile.TemporaryDirectory(prefix="image-translation-") as folder:
            _prepare(Path(folder))
            from image_translation.app.page import launch

            page = launch(workbench, Path(folder), host, port)
            try:
                ready(str(page.local_url))
                ended.wait()
            finally:
                page.close(verbose=False)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    logger.info("The app has ended; its files are removed")


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _prepare(folder: Path) -> None:
    """Settings that Gradio reads when it is imported: where files go, whom to tell."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
