"""One real Kedro session, looked at from all sides."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from image_translation.common.names import BASELINES
from image_translation.metrics import HEADLINES, METRICS
from tests.conftest import ON_BY_DEFAULT, copy_project, only
from tests.test_extending import NETWORK, add_metric, edit

SET_METRICS = ("swd", "swd_32", "swd_16", "spectrum_distance", "histogram_distance")
ALL_MODELS = (*ON_BY_DEFAULT, *BASELINES)


@pytest.fixture(scope="module")
def reporting(smoke_project) -> Path:
    return smoke_project / "data/smoke/08_reporting/colorization"


@pytest.fixture(scope="module")
def client(smoke_project) -> MlflowClient:
    return MlflowClient(f"sqlite:///{smoke_project}/data/smoke/mlflow/mlflow.db")


def runs_of(client):
    experiment = client.get_experiment_by_name("colorization")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return parents, children


def test_comparison_has_every_model_and_metric(reporting):
    table = pd.read_csv(reporting / "comparison.csv")
    expected = {
        (model, metric) for model in ALL_MODELS for metric in (*METRICS, *SET_METRICS)
    }
    assert set(zip(table["model"], table["metric"], strict=True)) == expected
    assert (table["n_images"] > 0).all()


def test_verdicts_compare_all_pairs_of_models(reporting):
    verdicts = pd.read_csv(reporting / "verdicts.csv")
    pairs = len(ALL_MODELS) * (len(ALL_MODELS) - 1) // 2 - 1  # not the two baselines
    tested = {*METRICS, "swd", "spectrum_distance", "histogram_distance"}
    assert set(verdicts["metric"]) == tested
    assert len(verdicts) == pairs * len(tested)


def test_report_refers_to_nothing_outside_itself(reporting):
    html = (reporting / "report.html").read_text("utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", html)
    assert not re.findall(r"url\((?!['\"]?(?:data:|#))[^)]*", html)


def test_every_test_pair_has_a_prediction_and_a_score(smoke_project):
    data = smoke_project / "data/smoke"
    split = pd.read_csv(data / "03_primary/colorization/split.csv", dtype=str)
    expected = set(split.loc[split["split"] == "test", "pair_id"])
    for model in ALL_MODELS:
        folder = data / "07_model_output/colorization" / model
        images = {path.stem for path in (folder / "predictions").glob("*.png")}
        scores = pd.read_csv(folder / "scores.csv", dtype={"pair_id": str})
        assert images == set(scores["pair_id"]) == expected


def test_nothing_outside_the_smoke_folder_is_touched(smoke_project, tmp_path):
    def files(folder):
        return {
            path.relative_to(folder)
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    new = files(smoke_project) - files(copy_project(tmp_path))
    assert {path.parts[:2] for path in new} == {("data", "smoke")}


def test_mlflow_has_one_parent_and_one_child_a_trained_model(client):
    parents, children = runs_of(client)
    (parent,) = parents
    assert {run.data.tags["model"] for run in children} == set(ON_BY_DEFAULT)
    assert len(children) == len(ON_BY_DEFAULT)
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.info.status == "FINISHED"


def test_children_share_metric_names_and_have_a_point_an_epoch(client):
    _, children = runs_of(client)
    shared = {f"{side}/{name}" for side in ("validation", "test") for name in HEADLINES}
    for child in children:
        assert shared | {"train/l1"} <= set(child.data.metrics)
        points = client.get_metric_history(child.info.run_id, "validation/psnr")
        assert [point.step for point in points] == [1, 2]


def test_every_training_parameter_is_a_parameter_of_its_own(client):
    parents, children = runs_of(client)
    names = ("epochs", "batch_size", "learning_rate", "seed", "select_by")
    for child in children:
        assert {f"training.{name}" for name in names} <= set(child.data.params)
    for model in ON_BY_DEFAULT:
        expected = {f"colorization.{model}.training.{name}" for name in names}
        assert expected <= set(parents[0].data.params)


def test_parent_run_holds_the_report_and_its_figures(client):
    parents, _ = runs_of(client)
    names = {
        Path(file.path).name
        for file in client.list_artifacts(parents[0].info.run_id, "report")
    }
    assert {"report.html", "comparison.csv", "verdicts.csv"} <= names
    assert not any(name.startswith(".") for name in names)
    assert {"comparison.png", "learning_curves.png", "sample_grid.png"} <= names
    best = parents[0].data
    assert best.metrics["test/psnr_low"] < best.metrics["test/psnr"]
    assert best.tags["best_model"] in ON_BY_DEFAULT


def test_table_of_runs_has_the_columns_that_people_compare(client):
    parents, children = runs_of(client)
    metrics = {name for run in parents + children for name in run.data.metrics}
    columns = {name for name in metrics if not name.startswith("system/")}
    assert {"test/psnr", "test/psnr_low", "test/ssim_high", "test/swd"} <= columns
    assert len(columns) <= 25, sorted(columns)


def test_description_of_run_and_version_is_the_answer(client):
    parents, _ = runs_of(client)
    described = parents[0].data.tags["mlflow.note.content"]
    assert "By itself, the adversarial loss" in described
    version = client.get_model_version_by_alias("colorization", "champion")
    assert version.description.endswith(described)


def times_of(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_dry_run_lists_what_would_be_made_and_why(smoke_project, kedro, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(smoke_project, project)
    before = times_of(project / "data")
    code = project / "src/image_translation"
    (code / "networks/generators/mine.py").write_text(NETWORK)
    marker = "        for epoch in range("
    message = f"        logger.info('A new message')\n{marker}"
    edit(code / "training/loop.py", marker, message)
    command = ("run", "--pipeline=colorization", "--env=smoke", "--dry-run")
    result = kedro(project, *command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["nothing: up to date"]

    add_metric(project)
    result = kedro(project, *command, "--params=colorization.unet.objective.l1=50")
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    reasons = {node.removeprefix("colorization."): reason for node, reason in lines}
    assert reasons["unet.train"] == "objective.l1: 1.0 → 50.0"
    assert reasons["unet.translate"] == "depends on colorization.unet.train"
    assert reasons["pix2pix.score"] == "code of metrics.registry changed"
    assert reasons["compare_models"].startswith("depends on colorization.")
    assert "pix2pix.train" not in reasons and "form_pairs" not in reasons
    assert times_of(project / "data") == before


def test_same_seed_gives_the_same_scores(
    smoke_project, kedro, tmp_path, empty_database
):
    project = copy_project(tmp_path, empty_database)
    models = "pix2pix", "residual_unet"
    command = ("run", "--pipeline=colorization", "--env=smoke")
    command += ("--tags=ingestion,splitting,preparation,training,inference,scoring",)
    result = kedro(project, *command, "--params", only(*models))
    assert result.returncode == 0, result.stderr
    for model in (*models, *BASELINES):
        path = f"data/smoke/07_model_output/colorization/{model}/scores.csv"
        assert (project / path).read_bytes() == (smoke_project / path).read_bytes()


@pytest.mark.slow
def test_model_that_is_switched_off_is_shown_as_not_run(smoke_project, kedro, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(smoke_project, project)
    off = "models.autoencoder_gan.enabled=false"
    result = kedro(project, "run", "-p", "colorization", "-e", "smoke", "--params", off)
    assert result.returncode == 0, result.stderr
    reporting = project / "data/smoke/08_reporting/colorization"
    table = pd.read_csv(reporting / "comparison.csv").set_index("model")
    assert (table.loc["autoencoder_gan", "n_images"] == 0).all()
    assert "not run" in (reporting / "report.html").read_text("utf-8")


def test_sealed_run_shows_no_test_pair(smoke_project, kedro, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(smoke_project, project)
    sealed = f"test.sealed=true,{only()}"
    result = kedro(
        project, "run", "-p", "colorization", "-e", "smoke", "--params", sealed
    )
    assert result.returncode == 0, result.stderr
    data = project / "data/smoke"
    split = pd.read_csv(data / "03_primary/colorization/split.csv", dtype=str)
    test = set(split.loc[split["split"] == "test", "pair_id"])
    results = [
        path
        for folder in ("07_model_output", "08_reporting")
        for path in (data / folder).rglob("*")
        if path.is_file()
    ]
    assert not test & {path.stem for path in results}
    for path in results:
        if path.suffix in (".csv", ".json", ".html", ".md"):
            text = path.read_text("utf-8")
            assert not any(pair_id in text for pair_id in test), path
    reporting = data / "08_reporting/colorization"
    assert "The test set is sealed" in (reporting / "report.html").read_text("utf-8")
    decision = json.loads((reporting / "promotion.json").read_text("utf-8"))
    assert decision["outcome"] == "not decided"
    assert decision["reason"] == "the test set is sealed"
    assert set(pd.read_csv(reporting / "looks.csv")["look"]) == {1}


@pytest.mark.parametrize(
    ("pipeline", "parameters", "message"),
    [
        ("colorization", "training.epoch=3", "training.epoch: no such parameter"),
        ("colorization", "training.epochs=0", "training.epochs: "),
        ("custom", "training.epochs=1", 'pass one: --params "source=<folder>'),
        ("custom", "source=no/such/folder", "no/such/folder"),
    ],
)
def test_bad_input_is_an_error_without_traceback(
    smoke_project, kedro, pipeline, parameters, message
):
    result = kedro(
        smoke_project, "run", "-p", pipeline, "-e", "smoke", "--params", parameters
    )
    assert result.returncode == 3
    assert message in result.stderr
    assert "Traceback" not in result.stderr
