"""The champion, served by MLflow's own command."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ENVIRONMENT


@pytest.fixture(scope="module")
def address(smoke_project, tmp_path_factory):
    """URL of a server of the smoke run's champion, started outside the project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{smoke_project}/data/smoke/mlflow/mlflow.db"
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--port", str(port)]
    command += ["-m", "models:/colorization@champion", "--env-manager", "local"]
    log = tmp_path_factory.mktemp("serving") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            env={**ENVIRONMENT, "MLFLOW_TRACKING_URI": store, "PATH": scripts},
            cwd=log.parent,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=1)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def request_translation(address, image):
    body = json.dumps({"dataframe_records": [{"image": image}]}).encode()
    request = urllib.request.Request(
        f"{address}/invocations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["predictions"][0]["image"]


def test_served_model_returns_a_file_for_a_file(address):
    photo = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG")
    text = base64.b64encode(file.getvalue()).decode()
    result = request_translation(address, text)
    translated = Image.open(io.BytesIO(base64.b64decode(result)))
    assert (translated.format, translated.size) == ("JPEG", (80, 48))


def test_served_model_returns_pixels_for_pixels(address):
    pixels = np.full((40, 30, 3), 90, np.uint8).tolist()
    result = request_translation(address, pixels)
    assert np.shape(result) == (40, 30, 3)
