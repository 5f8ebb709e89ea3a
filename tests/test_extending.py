"""A loss of one's own is one entry, a network one file; both with a parameter block."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from image_translation.training.trained import TrainedReplicate
from tests.conftest import copy_project, only

LOSS = """
    "charbonnier": Loss(
        "Charbonnier", lambda b: ((b.predictions - b.targets) ** 2 + 1e-6).sqrt().mean()
    ),"""

NETWORK = """
from torch import nn


def build(image_size, base_channels, structure):
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
"""


def edit(path: Path, marker: str, replacement: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(marker) == 1
    path.write_text(text.replace(marker, replacement), "utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory, kedro) -> Path:
    """The data of a run in which a model has the new network and the new loss."""
    project = copy_project(tmp_path_factory.mktemp("extended"))
    losses = "LOSSES: Mapping[str, Loss] = {"
    edit(project / "src/image_translation/training/losses.py", losses, losses + LOSS)
    package = project / "src/image_translation"
    (package / "networks/generators/mine.py").write_text(NETWORK)
    edit(
        project / "conf/base/parameters.yml",
        "  unet:\n    enabled: true\n    network: {name: unet}\n"
        "    objective: {adversarial: 0, l1: 1}\n",
        "  unet:\n    enabled: true\n    network: {name: mine}\n"
        "    objective: {l1: 1, charbonnier: 2}\n",
    )
    result = kedro(project, "run", "--env=smoke", "--params", only("unet"))
    assert result.returncode == 0, result.stderr
    return project / "data/smoke"


def test_new_loss_is_in_the_history_and_new_network_on_disk(data):
    folder = data / "06_models/colorization/unet/replicate-0"
    assert (pd.read_csv(folder / "history.csv")["train/charbonnier"] > 0).all()
    assert TrainedReplicate.read(folder).config["network"]["name"] == "mine"


def test_both_are_in_the_report(data):
    report = (data / "08_reporting/colorization/report.html").read_text("utf-8")
    assert "2 × Charbonnier + 1 × L1" in report
    assert "<td>mine</td>" in report
    assert "Training Charbonnier loss" in report


def test_both_are_in_mlflow(data):
    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("colorization")
    filter_ = "tags.model = 'unet'"
    (run,) = client.search_runs([experiment.experiment_id], filter_)
    assert run.data.params["network.name"] == "mine"
    assert run.data.params["objective.charbonnier"] == "2.0"
    points = client.get_metric_history(run.info.run_id, "train/charbonnier")
    assert [point.step for point in points] == [1, 2]
