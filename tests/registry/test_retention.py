"""What may be removed of a task, in a real store with planted runs and versions."""

import json
import os
import re

import pytest
from mlflow import MlflowClient
from mlflow.entities import Param

from image_translation.registry import versions
from image_translation.registry.retention import find_leftovers
from image_translation.runs.events import EventLog
from image_translation.runs.mlflow_position import Sent
from image_translation.runs.retention import _remove_run
from image_translation.runs.task_state import TaskFolders


class Task:
    """A task with planted runs and versions; names are those of its children."""

    def __init__(self, name, folder):
        self.name, self.client = name, MlflowClient()
        self.folders = TaskFolders(folder / "data", name)
        location = (folder / "artifacts").as_uri()
        self.experiment = self.client.create_experiment(
            name, artifact_location=location
        )
        self.artifacts = folder / "artifacts"
        self.ids, self.started = {}, 0

    def run(self, name, parent=None, results=True, status="FINISHED", **tags):
        """A run in MLflow, later than those before, with an artifact of three bytes."""
        self.started += 1
        tags = {"task": self.name, "environment": "smoke", **tags}
        if parent is not None:
            tags["mlflow.parentRunId"] = self.ids[parent]
        run = self.client.create_run(self.experiment, self.started, tags, name)
        run_id = self.ids[name] = run.info.run_id
        if results:
            self.client.log_batch(run_id, params=[Param("training.epochs", "1")])
        self.client.log_text(run_id, "abc", "report.html")
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id

    def training(self, name, parent):
        """A child run with a model of five bytes and its version."""
        run_id = self.run(name, parent)
        model = self.client.create_logged_model(self.experiment, name, run_id)
        folder = self.artifacts / "models" / model.model_id / "artifacts"
        folder.mkdir(parents=True)
        (folder / "weights").write_text("abcde")
        self.client.finalize_logged_model(model.model_id, "READY")
        if not self.client.search_registered_models(f"name='{self.name}'"):
            self.client.create_registered_model(self.name)
        return self.client.create_model_version(
            self.name,
            f"models:/{model.model_id}",
            run_id,
            tags={"run": run_id, "weights_sha256": 2 * run_id},
            model_id=model.model_id,
        )

    def on_disk(self, name, folder, events=1):
        """A folder of a training whose events MLflow has, or lacks."""
        EventLog(folder).append("epoch")
        Sent(self.ids[name], events=events).write(folder)

    def found(self, keep):
        return find_leftovers(self.folders, keep, "smoke")

    def removed(self, keep):
        """Names of the runs and numbers of the versions that may be removed."""
        names = [re.sub(r" \(\w{8}\)$", "", left.name) for left in self.found(keep)]
        return {name.removeprefix("MLflow run ") for name in names}


@pytest.fixture
def task(store, tmp_path, request):
    return Task(re.sub(r"\W", "", request.node.name), tmp_path)


def test_newest_runs_are_kept_with_their_trainings(task):
    for number in range(4):
        task.run(f"run {number}")
        task.run(f"unet {number}", f"run {number}")
    assert task.removed(keep=2) == {"run 0", "unet 0", "run 1", "unet 1"}
    assert task.removed(keep=4) == set()


def test_runs_without_results_do_not_displace_those_with(task):
    task.run("report")
    for number in range(3):
        task.run(f"night {number}", results=False)
    assert task.removed(keep=2) == {"night 0"}


def test_runs_that_something_needs_are_kept(task):
    task.run("first")
    for name in ("linked", "trained", "trial", "other"):
        task.run(name, "first")
    task.run("active", status="RUNNING")
    task.run("foreign", task="another")
    task.run("elsewhere", environment="kaggle")
    task.run("last", **{"unet.replicate-0": task.ids["linked"]})
    task.on_disk("trained", task.folders.models / "unet" / "replicate-0")
    task.on_disk("trial", task.folders.models / "tuning" / "a" / "trial-0")
    assert task.removed(keep=1) == {"other"}


def test_versions_that_something_needs_are_kept(task):
    task.run("run")
    names = ("plain", "first", "undone", "champion", "disk", "challenger", "newest")
    made = {name: task.training(name, "run") for name in names}
    for name in ("first", "undone", "champion"):
        versions.promote(made[name])
    client = task.client
    undone = made["undone"].version
    client.set_model_version_tag(task.name, undone, "rolled_back", "now")
    client.set_registered_model_alias(task.name, "mine", made["challenger"].version)
    foreign = made["plain"].source
    client.create_model_version(task.name, foreign)
    task.on_disk("disk", task.folders.models / "unet" / "replicate-0")
    task.run("later")
    assert task.removed(keep=1) == {"version 1 of the registered model", "plain"}
    (run,) = (left for left in task.found(keep=1) if "run" in left.name)
    assert run.size == 3  # the version of others has the model


def test_removal_frees_the_artifacts_of_runs_and_models(task):
    task.run("old")
    task.training("unet old", "old")
    task.run("new")
    task.training("unet new", "new")
    before = {path.name for path in task.artifacts.rglob("*") if path.is_file()}
    left = task.found(keep=1)
    assert [leftover.size for leftover in left] == [0, 8, 3]
    for leftover in left:
        leftover.remove()
    assert task.found(keep=1) == []
    kept = [task.ids["new"], task.ids["unet new"]]
    (model,) = (task.artifacts / "models").iterdir()
    assert {p.name for p in task.artifacts.iterdir()} == {*kept, "models"}
    assert {path.name for path in task.artifacts.rglob("*") if path.is_file()} == before
    (version,) = versions.list_versions(task.name)
    assert version.source == f"models:/{model.name}"
    with pytest.raises(Exception, match="not found"):
        task.client.get_run(task.ids["old"])


def test_artifacts_outside_the_folder_of_the_run_are_left_alone(task, tmp_path):
    (tmp_path / "mine").write_text("mine")
    run = task.client.get_run(task.run("run"))
    vars(run.info)["_artifact_uri"] = tmp_path.as_uri()
    _remove_run(run, ())
    assert (tmp_path / "mine").exists()


def test_tracking_server_only_marks_runs_as_deleted(task, monkeypatch):
    task.run("old")
    task.run("new")
    monkeypatch.setattr("image_translation.runs.retention.erases", lambda client: False)
    for leftover in task.found(keep=1):
        leftover.remove()
    assert task.client.get_run(task.ids["old"]).info.lifecycle_stage == "deleted"
    assert (task.artifacts / task.ids["old"]).exists()


def test_old_studies_and_downloads_are_removed(task):
    tuning, champions = task.folders.models / "tuning", task.folders.models / "champion"
    for number, (study, model) in enumerate(
        [("a", "unet"), ("b", "unet"), ("unsent", "unet"), ("c", "unet"), ("d", "pix")]
    ):
        name = f"trial of {study}"
        task.run(name, parent=None)
        folder = tuning / study / "trial-0"
        task.on_disk(name, folder, events=0 if study == "unsent" else 1)
        (folder / "trial.json").write_text(json.dumps({"model": model}))
        os.utime(folder / "trial.json", (number, number))
    for folder in ("0" * 16, ".fetching-old", ".fetching-new", "of a user"):
        (champions / folder).mkdir(parents=True)
    os.utime(champions / ".fetching-old", (0, 0))
    names = {left.name for left in task.found(keep=1) if "run" not in left.name}
    assert names == {
        "trials of the study a",
        "trials of the study b",
        "download of a former champion (0000000000000000)",
        "incomplete download (.fetching-old)",
    }
    assert "trial of b" in task.removed(keep=1)
    assert "trial of unsent" not in task.removed(keep=1)


def test_download_of_champion_and_predecessor_is_kept(task):
    task.run("run")
    for name in ("first", "second", "third"):
        versions.promote(task.training(name, "run"))
    for version in versions.list_versions(task.name):
        folder = task.folders.models / "champion" / versions.folder_name(version)
        folder.mkdir(parents=True)
    (first,) = [v for v in versions.list_versions(task.name) if int(v.version) == 1]
    expected = f"download of a former champion ({versions.folder_name(first)})"
    assert expected in task.removed(keep=0)
    assert sum("download" in left.name for left in task.found(keep=0)) == 1
