import shutil

import pandas as pd
import pytest
from mlflow import MlflowClient

from image_translation.pipelines.tuning import create_pipeline
from image_translation.training.trained import TrainedReplicate

FOLDER = "data/smoke/08_reporting/colorization/tuning"


@pytest.fixture(scope="module")
def project(smoke_project, kedro, tmp_path_factory):
    """A project in which the U-Net was tuned with two trials."""
    project = tmp_path_factory.mktemp("tuned") / "project"
    shutil.copytree(smoke_project, project)
    parameters = "task=colorization,tuning.model=unet,tuning.trials=2"
    result = kedro(
        project, "run", "--env=smoke", "--pipeline=tuning", f"--params={parameters}"
    )
    assert result.returncode == 0, result.stderr
    return project


def test_tuning_never_sees_test_pairs():
    (node,) = create_pipeline("monet").only_nodes_with_tags("tuning").nodes
    assert set(node.inputs) == {
        "monet.train_pairs",
        "monet.validation_pairs",
        "monet.tuning.workspace",
        "params:monet",
    }


def test_trials_have_tables_figures_and_mlflow_runs(project):
    trials = pd.read_csv(project / FOLDER / "trials.csv")
    assert trials["trial"].tolist() == [0, 1]
    for name in ("history", "importance"):
        assert (project / FOLDER / f"{name}.json").stat().st_size
    client = MlflowClient(f"sqlite:///{project}/data/smoke/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("colorization").experiment_id
    runs = client.search_runs([experiment], "tags.study != ''")
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs}
    assert {run.info.run_name for run in runs} == {"unet trial 0", "unet trial 1"}
    scores = {int(r.data.tags["trial"]): r.data.metrics["tuning/score"] for r in runs}
    assert scores == pytest.approx(trials.set_index("trial")["score"].to_dict())
    rate = "training.learning_rate"
    tried = {int(r.data.tags["trial"]): float(r.data.params[rate]) for r in runs}
    assert tried == pytest.approx(trials.set_index("trial")[rate].to_dict())
    (parent,) = (client.get_run(run_id) for run_id in parents)
    assert parent.info.run_name.startswith("colorization (tuning)")
    kept = {item.path for item in client.list_artifacts(parent.info.run_id, "tuning")}
    assert {"tuning/trials.csv", "tuning/parameters_colorization.yml"} <= kept


def test_training_with_the_overlay_reproduces_the_best_score(project, kedro):
    """Even if the tuning used another environment: the overlay is complete."""
    overlay = project / "data/smoke/tuned/parameters_colorization.yml"
    shutil.copy(overlay, project / "conf/tuned")
    node = "colorization.unet.train"
    result = kedro(project, "run", "--env=tuned", f"--to-nodes={node}")
    assert result.returncode == 0, result.stderr
    trained = TrainedReplicate.read(
        project / "data/06_models/colorization/unet/replicate-0"
    )
    trials = pd.read_csv(project / FOLDER / "trials.csv", float_precision="round_trip")
    assert trained.validation_score == trials["score"].max()
