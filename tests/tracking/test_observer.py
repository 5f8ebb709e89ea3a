import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from image_translation.schema import flatten
from image_translation.tracking.observer import DatasetInput, MlflowObserver
from image_translation.tracking.runs import (
    link_replicates,
    log_test_scores,
    read_run_id,
)
from image_translation.training.trained import TrainedModel, TrainedReplicate
from tests.training.conftest import make_settings

SETTINGS = make_settings(
    "pix2pix", network__base_channels=8, training__seed=3, training__epochs=2
)
COST = {"seconds": 1.5, "images_per_second": 20.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of its own; making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    location = (folder / "artifacts").as_uri()
    yield MlflowClient().create_experiment("colorization", artifact_location=location)
    mlflow.set_tracking_uri(before)


@pytest.fixture
def parent(store):
    return MlflowClient().create_run(store).info.run_id


@pytest.fixture
def observer(store, parent):
    inputs = [DatasetInput("colorization.train_pairs", "train", "f" * 64, 12)]
    return MlflowObserver("colorization", "pix2pix", store, parent, inputs)


def replicate(folder, failure=None):
    for name in ("weights.safetensors", "config.json", "history.csv"):
        (folder / name).write_text(name)
    return TrainedReplicate(
        folder, {"cost": COST, "failure": failure, "replicate": 0, "best_epoch": 1}
    )


def run_of(folder):
    return MlflowClient().get_run(read_run_id(folder))


def test_training_becomes_a_child_run_with_every_parameter(observer, parent, tmp_path):
    observer.on_start(1, tmp_path, SETTINGS, {"parameters": 7})
    run = run_of(tmp_path)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.tags["model"] == "pix2pix"
    assert run.data.tags["replicate"] == "1"
    assert run.data.params["training.epochs"] == "2"
    assert run.data.params["training.seed"] == "4"
    assert run.data.params["objective.l1"] == "100.0"
    assert run.data.params["cost.parameters"] == "7"
    assert set(flatten(SETTINGS.model_dump())) <= set(run.data.params)
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "colorization.train_pairs"
    assert json.loads(given.dataset.profile) == {"num_pairs": 12}


def test_epochs_become_curves_and_pictures(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    for epoch in (1, 2):
        metrics = {"epoch": epoch, "train/l1": 1 / epoch, "train/none": float("nan")}
        observer.on_epoch(epoch, metrics, np.zeros((4, 12, 3), np.uint8))
    run_id = read_run_id(tmp_path)
    history = MlflowClient().get_metric_history(run_id, "train/l1")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert "train/none" not in run_of(tmp_path).data.metrics
    assert MlflowClient().list_artifacts(run_id, "images")


def test_finished_training_closes_its_run_with_the_model(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_end(replicate(tmp_path))
    run = run_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["cost/seconds"] == 1.5
    files = MlflowClient().list_artifacts(run.info.run_id, "model")
    assert "model/weights.safetensors" in [file.path for file in files]


def test_failed_training_is_marked(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    observer.on_end(replicate(tmp_path, failure="diverged"))
    assert run_of(tmp_path).info.status == "FAILED"


def test_training_that_goes_on_keeps_its_run(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    first = read_run_id(tmp_path)
    observer.close()
    assert run_of(tmp_path).info.status == "KILLED"
    (tmp_path / "history.csv").write_text("epoch\n1\n")
    observer.on_start(0, tmp_path, SETTINGS, {})
    assert read_run_id(tmp_path) == first
    assert run_of(tmp_path).info.status == "RUNNING"


def test_new_training_in_an_old_folder_gets_a_new_run(observer, tmp_path):
    observer.on_start(0, tmp_path, SETTINGS, {})
    first = read_run_id(tmp_path)
    observer.on_start(0, tmp_path, SETTINGS, {})
    assert read_run_id(tmp_path) != first


def test_test_scores_go_to_the_child_once_and_the_parent_links_it(
    observer, parent, tmp_path
):
    observer.on_start(0, tmp_path, SETTINGS, {})
    trained = TrainedModel("trained", "", (replicate(tmp_path),), SETTINGS)
    observer.on_end(trained.replicates[0])
    scores = pd.DataFrame(
        {
            "pair_id": ["a", "b"],
            "group": ["a", "b"],
            "replicate": [0, 0],
            "mse": [0.0, 0.02],
            "psnr": [np.inf, 20.0],
            "ssim": [1.0, 0.5],
        }
    )
    for _ in range(2):
        log_test_scores(trained, scores)
    run_id = read_run_id(tmp_path)
    (point,) = MlflowClient().get_metric_history(run_id, "test/psnr")
    assert point.value == 60.0
    link_replicates(parent, "pix2pix", trained)
    tags = MlflowClient().get_run(parent).data.tags
    assert tags["pix2pix.replicate-0"] == run_id


def test_store_that_fails_does_not_end_the_training(observer, tmp_path, caplog):
    mlflow_uri = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/no/such/folder/x.db")
        observer.on_start(0, tmp_path, SETTINGS, {})
        observer.on_epoch(1, {"train/l1": 1.0}, None)
        observer.on_end(replicate(tmp_path))
    finally:
        mlflow.set_tracking_uri(mlflow_uri)
    assert "MLflow could not be written to" in caplog.text
