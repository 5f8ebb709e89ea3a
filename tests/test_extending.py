"""A loss, a network, a metric and a task of one's own, each in at most two files."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

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

METRIC = """
            Metric(
                name="median_error",
                family="fidelity",
                label="Median error",
                function=lambda predictions, targets: np.median(
                    np.abs(predictions / 255 - targets / 255), axis=(1, 2, 3)
                ),
                higher_is_better=False,
                range=(0.0, 1.0),
                decimals=3,
                definition="Median absolute error of all values on the 0–1 scale.",
                source="this test",
            ),"""

TASK = """
sketches:
  source: photographs
  pairing: {layout: single, recipe: cartoon}
"""


def edit(path: Path, marker: str, replacement: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(marker) == 1
    path.write_text(text.replace(marker, replacement), "utf-8")


def add_loss(project: Path) -> None:
    losses = "LOSSES: Mapping[str, Loss] = {"
    edit(project / "src/image_translation/training/losses.py", losses, losses + LOSS)
    objective = "    network: {name: unet}\n    objective: {adversarial: 0, l1: 1"
    edit(
        project / "conf/base/parameters.yml", objective, f"{objective}, charbonnier: 2"
    )


def add_network(project: Path) -> None:
    networks = project / "src/image_translation/networks"
    (networks / "generators/mine.py").write_text(NETWORK)
    block = "  unet:\n    enabled: true\n    network: "
    edit(
        project / "conf/base/parameters.yml",
        f"{block}{{name: unet}}",
        f"{block}{{name: mine}}",
    )


def add_metric(project: Path) -> None:
    metrics = "        for metric in ("
    registry = project / "src/image_translation/metrics/registry.py"
    edit(registry, metrics, metrics + METRIC)


def add_task(project: Path) -> None:
    registry = project / "src/image_translation/pipeline_registry.py"
    edit(registry, '"colorization", "monet"', '"colorization", "sketches", "monet"')
    (project / "conf/base/parameters_sketches.yml").write_text(TASK)


def files_of(project: Path) -> set[tuple[Path, bytes]]:
    files = (file for file in project.rglob("*") if file.is_file())
    return {(file, file.read_bytes()) for file in files}


@pytest.fixture(scope="module")
def project(tmp_path_factory, empty_database) -> Path:
    """A project with all four."""
    project = copy_project(tmp_path_factory.mktemp("extended"), empty_database)
    for add in (add_loss, add_network, add_metric, add_task):
        before = files_of(project)
        add(project)
        changed = {file for file, _ in files_of(project) ^ before}
        assert len(changed) <= 2, add.__name__
    return project


@pytest.fixture(scope="module")
def data(project, kedro) -> Path:
    """The data of a run of the task, in which one model has the network and the loss."""
    command = ("run", "--env=smoke", "--pipeline=sketches", "--params", only("unet"))
    result = kedro(project, *command)
    assert result.returncode == 0, result.stderr
    return project / "data/smoke"


@pytest.fixture(scope="module")
def report(data) -> str:
    return (data / "08_reporting/sketches/report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def mlflow_run(data) -> tuple[MlflowClient, Run]:
    """A client, and the training's run in the experiment of the task."""
    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("sketches")
    filter_ = "tags.model = 'unet'"
    (run,) = client.search_runs([experiment.experiment_id], filter_)
    return client, run


def test_loss_is_in_history_report_and_mlflow(data, report, mlflow_run):
    history = data / "06_models/sketches/unet/replicate-0/history.csv"
    assert (pd.read_csv(history)["train/charbonnier"] > 0).all()
    assert "2 × Charbonnier + 1 × L1" in report
    assert "Training Charbonnier loss" in report
    client, run = mlflow_run
    assert run.data.params["objective.charbonnier"] == "2.0"
    points = client.get_metric_history(run.info.run_id, "train/charbonnier")
    assert [point.step for point in points] == [1, 2]


def test_network_is_on_disk_in_report_and_mlflow(data, report, mlflow_run):
    folder = data / "06_models/sketches/unet/replicate-0"
    assert TrainedReplicate.read(folder).config["network"]["name"] == "mine"
    assert "<td>mine</td>" in report
    assert mlflow_run[1].data.params["network.name"] == "mine"


def test_metric_is_in_scores_report_and_mlflow(data, report, mlflow_run):
    scores = pd.read_csv(data / "07_model_output/sketches/unet/scores.csv")
    assert scores["median_error"].between(0, 1).all()
    assert "Median error" in report
    logged = mlflow_run[1].data.metrics["test/median_error"]
    assert logged == pytest.approx(scores["median_error"].mean())


def test_task_has_pairs_scores_and_a_report(data, report):
    pairs = pd.read_csv(data / "03_primary/sketches/split.csv")
    assert set(pairs["split"]) == {"train", "validation", "test"}
    comparison = pd.read_csv(data / "08_reporting/sketches/comparison.csv")
    scored = comparison.loc[comparison["mean"].notna(), "model"]
    assert {"unet", "copy_input"} <= set(scored)
    assert "Sketches" in report
