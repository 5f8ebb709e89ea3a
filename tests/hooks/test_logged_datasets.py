import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.pandas import CSVDataset
from kedro_datasets.text import TextDataset
from mlflow import MlflowClient

from image_translation.hooks.logged_datasets import is_logged, log_dataset
from image_translation.pipeline_registry import TASKS, register_pipelines

FINDINGS = pd.DataFrame(
    {
        "finding": ["too_small", "odd_size"],
        "count": [3, 4],
        "severity": ["warning", "info"],
    }
)
COMPARISON = pd.DataFrame(
    [
        ("copy_input", "psnr", 30.0, 29.0, 31.0),
        ("pix2pix", "psnr", 18.5, 17.5, 19.5),
        ("unet", "psnr", 20.5, 19.5, 21.5),
        ("unet", "gmsd", 0.1, 0.05, 0.15),
    ],
    columns=["model", "metric", "mean", "ci_low", "ci_high"],
)
PROMOTION = {
    "task": "monet",
    "challenger": None,
    "outcome": "promoted",
    "reason": "the first champion",
    "in_use": {"version": 1, "model": "unet"},
    "metric": None,
}
STUDY = pd.DataFrame(
    {
        "model_a": ["unet"],
        "model_b": ["pix2pix"],
        "rate": [0.75],
        "agreement": [0.5],
        "alpha": [None],
    }
)
TRIALS = pd.DataFrame(
    {
        "model": "unet",
        "metric": "mse",
        "state": ["complete", "complete", "pruned"],
        "score": [0.5, 0.25, 0.1],
    }
)


@pytest.fixture
def catalog(tmp_path):
    """What the pipelines of a task have saved."""
    catalog = DataCatalog(
        {
            "monet.findings": MemoryDataset(FINDINGS),
            "monet.promotion": MemoryDataset(PROMOTION),
            "monet.comparison": MemoryDataset(COMPARISON),
            "monet.report": TextDataset(filepath=str(tmp_path / "report/report.html")),
            "monet.human_study": MemoryDataset(STUDY),
            "monet.tuning.trials": CSVDataset(filepath=str(tmp_path / "trials.csv")),
            **{
                f"monet.tuning.{name}": TextDataset(filepath=str(tmp_path / name))
                for name in ("history", "importance", "overlay")
            },
        }
    )
    catalog.save("monet.report", "<html>")
    catalog.save("monet.tuning.trials", TRIALS)
    for name in ("history", "importance", "overlay"):
        catalog.save(f"monet.tuning.{name}", name)
    return catalog


@pytest.mark.parametrize(
    ("dataset", "metrics", "artifact"),
    [
        ("monet.findings", {"audit/warnings": 3}, "audit/findings.csv"),
        ("monet.promotion", {}, "promotion.json"),
        (
            "monet.sample_grid",
            {"test/psnr": 20.5, "test/psnr_low": 19.5, "test/psnr_high": 21.5},
            "report/report.html",
        ),
        (
            "monet.human_agreement",
            {"human/agreement": 0.5},
            "report/human_study.csv",
        ),
        ("monet.tuning.overlay", {"unet/tuning/mse": 0.25}, "tuning/overlay"),
    ],
)
def test_run_is_told_of_a_dataset(store, catalog, dataset, metrics, artifact):
    run_id = MlflowClient().create_run(store).info.run_id
    log_dataset(catalog, run_id, dataset)
    run = MlflowClient().get_run(run_id)
    assert run.data.metrics == metrics
    folder = artifact.rpartition("/")[0] or None
    kept = {file.path for file in MlflowClient().list_artifacts(run_id, folder)}
    assert artifact in kept
    told = run.data.tags.get("promotion")
    assert told == ("promoted" if dataset == "monet.promotion" else None)


def test_look_of_a_decision_and_what_it_spent_are_logged(store, catalog):
    run_id = MlflowClient().create_run(store).info.run_id
    scores = {"challenger": 21.0, "champion": 20.5, "difference": 0.5}
    test = {"looks": 2, "alpha": 0.00677, "alpha_left": 0.0241}
    record = {**PROMOTION, "metric": scores, "test": test}
    catalog.save("monet.promotion", record)
    log_dataset(catalog, run_id, "monet.promotion")
    data = MlflowClient().get_run(run_id).data
    assert data.tags["promotion.look"] == "2 (alpha 0.0068, 0.024 left)"
    assert data.metrics == {"promotion/difference": 0.5}


def test_comparison_of_validation_pairs_is_not_called_one_of_test_pairs(store, catalog):
    run_id = MlflowClient().create_run(store).info.run_id
    catalog.save("monet.comparison", COMPARISON.assign(subset="validation"))
    log_dataset(catalog, run_id, "monet.sample_grid")
    metrics = MlflowClient().get_run(run_id).data.metrics
    assert metrics["sealed/psnr"] == 20.5
    assert not any(name.startswith("test/") for name in metrics)


def test_file_that_was_removed_costs_no_other(store, catalog, tmp_path):
    run_id = MlflowClient().create_run(store).info.run_id
    (tmp_path / "overlay").unlink()
    log_dataset(catalog, run_id, "monet.tuning.overlay")
    kept = {file.path for file in MlflowClient().list_artifacts(run_id, "tuning")}
    assert kept == {
        f"tuning/{name}" for name in ("trials.csv", "history", "importance")
    }


def test_what_is_logged_is_what_the_pipelines_of_every_task_save():
    saved = set().union(*(p.all_outputs() for p in register_pipelines().values()))
    logged = {name for name in saved if is_logged(name)}
    ends = "findings unet.scores promotion sample_grid human_agreement tuning.overlay"
    for task in TASKS:
        assert {f"{task}.{end}" for end in ends.split()} <= logged
