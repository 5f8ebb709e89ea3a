"""The ensemble of a model's trainings, from a run to its use."""

import re

import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.conftest import copy_project, only

ENSEMBLE = "unet_ensemble"
PARAMETERS = f"{only('unet')},models.unet.ensemble=true,training.epochs=1"
RUN = ("run", "--env=smoke", "--pipeline=colorization")


@pytest.fixture(scope="module")
def succeed(kedro, empty_database, tmp_path_factory):
    """Run a command in a project in which the ensemble of two trainings was made."""
    project = copy_project(tmp_path_factory.mktemp("ensemble"), empty_database)

    def succeed(*command: str) -> str:
        result = kedro(project, *command)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    succeed.data = project / "data/smoke"
    succeed(*RUN, f"--params={PARAMETERS},training.replicates=2")
    return succeed


def table(succeed, name):
    return pd.read_csv(succeed.data / f"08_reporting/colorization/{name}.csv")


def read_report(succeed):
    """The text of the report."""
    page = succeed.data / "08_reporting/colorization/report.html"
    text = re.sub(r"<[^>]+>", "", page.read_text("utf-8"))
    return text.replace("\u200b", "")


def test_ensemble_has_rows_of_its_own_with_one_training(succeed):
    comparison = table(succeed, "comparison").set_index(["model", "metric"])
    assert comparison.loc[("unet", "mse"), "n_replicates"] == 2
    assert comparison.loc[(ENSEMBLE, "mse"), "n_replicates"] == 1
    means = comparison["mean"]
    assert means[ENSEMBLE, "mse"] <= means["unet", "mse"] + 1e-5  # rounding to 8 bits
    verdicts = table(succeed, "verdicts")
    pairs = verdicts.loc[verdicts["metric"] == "psnr", ["model_a", "model_b"]]
    assert ("unet", ENSEMBLE) in set(pairs.itertuples(index=False, name=None))
    report = read_report(succeed)
    assert f"{ENSEMBLE} was trained once" in report
    assert "unet, mean of 2 trainings" in report


def test_ensemble_has_a_run_with_its_model_in_mlflow(succeed):
    client = MlflowClient(f"sqlite:///{succeed.data}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("colorization").experiment_id
    (run,) = client.search_runs([experiment], f"tags.model = '{ENSEMBLE}'")
    assert run.info.status == "FINISHED"
    assert {"validation/psnr", "test/psnr"} <= set(run.data.metrics)
    (model,) = client.search_logged_models([experiment], f"tags.model = '{ENSEMBLE}'")
    assert model.source_run_id == run.info.run_id


def test_ensemble_is_up_to_date_until_a_parameter_changes(succeed):
    given = f"--params={PARAMETERS},training.replicates=2"
    assert "0 nodes had new results" in succeed(*RUN, given)
    listed = succeed(*RUN, f"{given},training.learning_rate=0.001", "--dry-run")
    assert re.search(
        rf"{ENSEMBLE}\.combine +depends on colorization\.unet\.train", listed
    )


def test_ensemble_translates_and_is_exported(succeed, tmp_path):
    pytest.importorskip("onnxruntime")
    given = f"--params=task=colorization,export.model={ENSEMBLE}"
    succeed("run", "--env=smoke", "--pipeline=export", given)
    folder = succeed.data / f"06_models/colorization/exported/{ENSEMBLE}"
    variants = pd.read_csv(folder / "variants.csv").set_index("file")
    assert variants.loc["model.onnx", "psnr_to_torch"] >= 50
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "2 trainings with the seeds 0, 1, …" in card

    Image.new("L", (60, 40), 90).save(tmp_path / "grey.png")
    places = f"input={tmp_path / 'grey.png'},output={tmp_path / 'out'}"
    given = f"--params=task=colorization,translate.model={ENSEMBLE},{places}"
    output = succeed("run", "--env=smoke", "--pipeline=translate", given)
    assert "Using ONNX Runtime" in output
    assert Image.open(tmp_path / "out/grey.png").size == (60, 40)


@pytest.mark.slow
def test_single_training_has_no_ensemble_and_no_row(succeed):
    """Last in this file: it replaces the results."""
    output = succeed(*RUN, f"--params={PARAMETERS},training.replicates=1")
    assert ENSEMBLE not in set(table(succeed, "comparison")["model"])
    verdicts = table(succeed, "verdicts")
    assert ENSEMBLE not in {*verdicts["model_a"], *verdicts["model_b"]}
    report = " ".join(read_report(succeed).split())
    assert f"{ENSEMBLE} not run" not in report
    assert "mean of 2 trainings" not in report
    assert f"{ENSEMBLE} has no scores" not in output
