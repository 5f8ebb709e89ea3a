"""Run the app's server and manage its temporary folder."""

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
from image_translation.common.errors import InputError

logger = logging.getLogger(__name__)

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
    """Serve the page until the process is stopped (Ctrl-C, SIGTERM).

    Args:
        workbench: The workbench.
        host: Interface to bind to.
        port: Port to bind to.
        ready: Called with the page's URL once it responds.

    Raises:
        InputError: Gradio is not installed, or the port is in use.
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
    logger.info("The app has stopped; its files are deleted")


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _prepare(folder: Path) -> None:
    """Set environment variables that Gradio reads on import: folder and telemetry."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
