"""A loss of one's own takes one entry, and a weight in the parameters."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.conftest import copy_project, only

LOSS = """
    "charbonnier": Loss(
        "Charbonnier", lambda b: ((b.predictions - b.targets) ** 2 + 1e-6).sqrt().mean()
    ),"""


def edit(path: Path, marker: str, replacement: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(marker) == 1
    path.write_text(text.replace(marker, replacement), "utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory, kedro) -> Path:
    """The data of a run in which ``unet`` is trained with the new loss."""
    project = copy_project(tmp_path_factory.mktemp("extended"))
    losses = "LOSSES: Mapping[str, Loss] = {"
    edit(project / "src/image_translation/training/losses.py", losses, losses + LOSS)
    edit(
        project / "conf/base/parameters.yml",
        "  unet:\n    enabled: true\n    network: {name: unet}\n"
        "    objective: {adversarial: 0, l1: 1}\n",
        "  unet:\n    enabled: true\n    network: {name: unet}\n"
        "    objective: {l1: 1, charbonnier: 2}\n",
    )
    result = kedro(project, "run", "--env=smoke", "--params", only("unet"))
    assert result.returncode == 0, result.stderr
    return project / "data/smoke"


def test_new_loss_is_in_the_history(data):
    path = data / "06_models/colorization/unet/replicate-0/history.csv"
    assert (pd.read_csv(path)["train/charbonnier"] > 0).all()


def test_new_loss_is_in_the_report(data):
    report = (data / "08_reporting/colorization/report.html").read_text("utf-8")
    assert "1 × L1 + 2 × Charbonnier" in report or "2 × Charbonnier + 1 × L1" in report
    assert "Training Charbonnier loss" in report


def test_new_loss_is_in_mlflow(data):
    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("colorization")
    filter_ = "tags.model = 'unet'"
    (run,) = client.search_runs([experiment.experiment_id], filter_)
    assert run.data.params["objective.charbonnier"] == "2.0"
    points = client.get_metric_history(run.info.run_id, "train/charbonnier")
    assert [point.step for point in points] == [1, 2]
