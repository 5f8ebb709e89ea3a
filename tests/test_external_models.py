"""Predictions of another program in the comparison of a task."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.conftest import move_project

COMPARED = "data/smoke/08_reporting/colorization"
RUN = ("run", "--pipeline=colorization", "--env=smoke", "--params")


@pytest.fixture
def project(smoke_project, tmp_path):
    return move_project(smoke_project, tmp_path)


def copy_predictions(project: Path, model: str, folder: Path) -> None:
    """The test predictions of a model, named like the inputs of their pairs."""
    split = pd.read_csv(project / "data/smoke/03_primary/colorization/split.csv")
    output = project / f"data/smoke/07_model_output/colorization/{model}/predictions"
    folder.mkdir()
    for pair in split[split["split"] == "test"].itertuples():
        name = f"{Path(pair.input).stem}.png"
        shutil.copy(output / f"{pair.pair_id}.png", folder / name)


def test_predictions_of_another_program_are_compared(project, kedro, tmp_path):
    folder = tmp_path / "made elsewhere"
    copy_predictions(project, "unet", folder)
    given = f"models.peer.predictions={folder}"
    result = kedro(project, *RUN, given)
    assert result.returncode == 0, result.stderr
    assert "peer.take, peer.score" in result.stderr

    table = pd.read_csv(project / COMPARED / "comparison.csv").set_index("model")
    np.testing.assert_array_equal(table.loc["peer", "mean"], table.loc["unet", "mean"])
    verdicts = pd.read_csv(project / COMPARED / "verdicts.csv")
    pair = verdicts[(verdicts["model_a"] == "unet") & (verdicts["model_b"] == "peer")]
    assert (pair["difference"].dropna() == 0).all() and len(pair)
    report = (project / COMPARED / "report.html").read_text("utf-8")
    assert "predictions in made elsewhere" in report
    assert str(folder) not in report
    store = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    assert (
        int(store.get_model_version_by_alias("colorization", "champion").version) == 1
    )

    assert "0 nodes had new results" in kedro(project, *RUN, given).stderr
    removed = next(folder.iterdir())
    removed.unlink()
    result = kedro(project, *RUN, given)
    assert result.returncode == 3
    assert f"no prediction for 1 pair of 24: '{removed.stem.split('-')[0]}/" in (
        result.stderr
    )
