"""A finished project that was moved works as before, and leaves the old place alone."""

import csv
import html
from pathlib import Path
from typing import NamedTuple

import pytest
from gradio_client import Client, handle_file
from mlflow import MlflowClient
from PIL import Image

from tests.app.conftest import running_app
from tests.conftest import move_project

WEIGHTS = "data/smoke/06_models/colorization/pix2pix/replicate-0"
EXPORTED = {
    "model.onnx",
    "model.pt2",
    "model_int8.onnx",
    "model_fp16.onnx",
    "variants.csv",
    "MODEL_CARD.md",
    "fingerprint.json",
}


class Moved(NamedTuple):
    """A project in its new place, and what runs Kedro commands."""

    project: Path
    kedro: object

    def succeed(self, *command: str, code: int = 0) -> str:
        """The output of a command."""
        result = self.kedro(self.project, *command, "--env=smoke")
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
        return result.stdout + result.stderr


def test_moved_project_works_and_leaves_the_old_place_alone(
    smoke_project, kedro, tmp_path
):
    pytest.importorskip("onnxruntime")
    before = times_of(smoke_project / "data")
    moved = Moved(move_project(smoke_project, tmp_path), kedro)
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.new("L", (60, 40), 90).save(photographs / "grey.jpg")

    translate(moved, photographs, tmp_path / "translated")
    export(moved)
    translate_by_export(moved, photographs, tmp_path / "by export")
    run_again(moved)
    send(moved)
    ask_app(moved, photographs / "grey.jpg", tmp_path / "app")

    assert times_of(smoke_project / "data") == before
    assert (tmp_path / "old place").stat().st_size == 0
    places = {"old place", "new place", "photographs", "translated", "by export", "app"}
    assert {path.name for path in tmp_path.iterdir()} == places
    store = MlflowClient(f"sqlite:///{moved.project}/data/smoke/mlflow/mlflow.db")
    experiment = store.get_experiment_by_name("colorization")
    for run in store.search_runs([experiment.experiment_id]):
        assert run.info.artifact_uri.startswith(f"{moved.project.as_uri()}/")


def translate(moved: Moved, photographs: Path, output: Path) -> None:
    broken = photographs / "broken.png"
    broken.write_text("no image")
    printed = moved.succeed(*translation(photographs, output), code=7)
    broken.unlink()
    assert "broken.png was not translated: not an image" in printed
    with Image.open(output / "grey.jpg") as image:
        assert (image.size, image.mode) == ((60, 40), "RGB")
    with (output / "results.csv").open(newline="") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert sorted(statuses) == ["failed", "translated"]


def export(moved: Moved) -> None:
    printed = moved.succeed("run", "--pipeline=export", "--params=task=colorization")
    assert "Using the champion of colorization: version 1" in printed
    exported = moved.project / "data/smoke/06_models/colorization/exported"
    (folder,) = exported.iterdir()
    assert {path.name for path in folder.iterdir()} >= EXPORTED
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "champion, version 1" in card
    assert "Compared with copying the input" in card


def translate_by_export(moved: Moved, photographs: Path, output: Path) -> None:
    assert "Using ONNX Runtime" in moved.succeed(*translation(photographs, output))
    assert (output / "grey.jpg").is_file()


def run_again(moved: Moved) -> None:
    """Nothing is made again, and ten nights without news need less than 1 MB."""
    data, weights = moved.project / "data", moved.project / WEIGHTS
    size, time = size_of(data), (weights / "weights.safetensors").stat().st_mtime_ns
    result = moved.kedro(moved.project, "run", "--pipeline=colorization", "--env=smoke")
    assert result.returncode == 0, result.stderr
    assert "0 nodes had new results" in result.stderr
    *_, best, adversarial, report = result.stderr.splitlines()
    assert "is best: PSNR" in best or "No trained model is better" in best
    assert "the adversarial loss" in adversarial
    assert report.endswith("Report: data/smoke/08_reporting/colorization/report.html")
    assert len(result.stderr.splitlines()) <= 12
    assert (weights / "weights.safetensors").stat().st_mtime_ns == time
    assert size_of(data) - size < 100_000


def send(moved: Moved) -> None:
    (moved.project / WEIGHTS / "mlflow.json").unlink()
    assert "Sent to MLflow: 1 training or run" in moved.succeed("send")


def ask_app(moved: Moved, photo: Path, temporary: Path) -> None:
    temporary.mkdir()
    with running_app(moved.project, temporary) as (url, _):
        client = Client(url, verbose=False)
        models = ["champion", "pix2pix"]
        *_, page = client.predict(
            "colorization", models, handle_file(photo), api_name="/translate"
        )
    for name in ("in use, version 1", "grey-pix2pix.jpg"):
        assert name in html.unescape(page)


def translation(photographs: Path, output: Path) -> tuple[str, ...]:
    places = f"input={photographs},output={output}"
    return ("run", "--pipeline=translate", f"--params=task=colorization,{places}")


def times_of(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def size_of(folder: Path) -> int:
    """Disk space in bytes."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
