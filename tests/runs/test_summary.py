import json
import os
import re

import pytest

from image_translation.common.errors import FatalFindingsError, InputError
from image_translation.runs.pipeline_run import begin_run
from image_translation.runs.summary import read_answer, write_summary
from image_translation.training.interruption import Stopped
from tests.reporting.examples import make_content


@pytest.fixture
def run(task):
    """A run that has just begun, with two pairs and a trained model."""
    task.pairs(a="used", b="left_out")
    task.model("unet")
    return begin_run(task.folders)


def test_run_without_anything_new_is_fine_and_says_so(task, run):
    run.log.append("finished", node="train", seconds=1)
    assert write_summary(run, ["train"]) == 0
    summary = task.summary()
    assert summary.startswith("# colorization: finished\n")
    assert "1 pair used, 1 left out" in summary
    assert "Since the previous run: no changes." in summary
    assert "- unet: up to date" in summary


def test_new_pairs_and_what_was_trained_are_told(task, run):
    task.pairs(b="left_out", c="used", d="used", e="left_out")
    task.model("unet", replicates=2)
    task.model("pix2pix")
    assert write_summary(run) == 0
    summary = task.summary()
    assert "2 new and used, 1 new and left out and 1 removed." in summary
    assert "- unet: trained (replicate-0, replicate-1)" in summary
    assert "- pix2pix: trained (replicate-0)" in summary


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a bug"), 1),
        (InputError("no folder x"), 3),
        (FatalFindingsError("2 unreadable"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_failure_has_a_code_and_is_quoted(task, run, error, code):
    run.fail(error, "form_pairs")
    assert write_summary(run) == code
    assert "## Errors\n\n**form_pairs**" in task.summary()
    assert str(error) in task.summary()


def test_model_that_failed_has_a_code_of_its_own(task, run):
    task.model("unet", "failed", "replicate 0: training diverged")
    assert write_summary(run) == 5
    assert "- unet: failed (replicate 0: training diverged)" in task.summary()


def test_node_that_never_ran_is_a_failure(task, run):
    run.log.append("finished", node="train", seconds=1)
    assert write_summary(run, ["train", "score"]) == 1
    assert "1 node did not run: score." in task.summary()


def test_node_that_was_cut_off_is_a_failure_told_apart(task, run):
    run.log.append("finished", node="train", seconds=1)
    run.log.append("started", node="score")
    assert write_summary(run, ["train", "score", "report"]) == 1
    assert "1 node was interrupted: score." in task.summary()
    assert "1 node did not run: report." in task.summary()


def test_cause_of_a_run_that_was_cut_off_decides_its_code(task, run):
    run.log.append("started", node="train")
    run.fail(Stopped("stopped", 15))
    assert write_summary(run, ["train"]) == 143


def test_failure_outside_of_nodes_is_forgiven_when_all_were_done(task, run):
    run.fail(InputError("no server"))
    run.log.append("finished", node="train", seconds=1)
    assert write_summary(run, ["train", "score"]) == 3
    run.log.append("finished", node="score", seconds=1)
    assert write_summary(run, ["train", "score"]) == 0
    assert "no server" not in task.summary()


def test_lost_server_has_a_code_of_its_own(task, run):
    assert write_summary(run, is_mlflow_lost=True) == 6
    assert task.summary().startswith("# colorization: finished, but MLflow lacks")
    task.model("unet", "failed", "training diverged")
    assert write_summary(run, is_mlflow_lost=True) == 5


@pytest.mark.parametrize("nodes", [(), ("train",), ("train", "score")])
def test_run_before_that_was_cut_off_is_told(task, run, nodes):
    run.run_id = "abc"
    for node in nodes:
        run.log.append("started", node=node)
    run = begin_run(task.folders)
    assert write_summary(run) == 0
    where = f" in {' and '.join(nodes)}" if nodes else ""
    time = r"\d{4}-\d\d-\d\d [\d:]+ \S+"
    sentence = rf"The previous run, started {time}, was interrupted{where}\."
    assert re.search(sentence, task.summary())


def test_decision_on_the_model_in_use_is_told(task, run):
    decision = {
        "outcome": "promoted",
        "reason": "psnr: challenger is better",
        "in_use": {"version": "3", "model": "unet"},
    }
    task.report("promotion.json", json.dumps(decision))
    write_summary(run)
    told = "promoted: psnr: challenger is better. In use: version 3, unet."
    assert told in task.summary()


def test_decision_of_an_earlier_run_is_not_told(task):
    task.report("promotion.json", "{}")
    path = task.folders.reporting / "promotion.json"
    run = begin_run(task.folders)
    os.utime(path, (0, 0))
    write_summary(run)
    assert "This run made no decision." in task.summary()


def test_report_is_linked_by_its_name(task, run):
    content = make_content()
    task.report("report.html")
    task.report("comparison.csv", content.comparison.to_csv(index=False))
    task.report("verdicts.csv", content.verdicts.to_csv(index=False))
    task.report("effects.csv", content.effects.to_csv(index=False))
    write_summary(run)
    assert "[Report](report.html)" in task.summary()
    assert str(read_answer(task.folders.reporting)).splitlines()[0] in task.summary()
