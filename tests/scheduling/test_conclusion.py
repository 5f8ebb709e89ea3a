import json
import os
import re

import pytest

from image_translation.errors import FatalFindingsError, InputError
from image_translation.scheduling.conclusion import conclude
from image_translation.scheduling.journal import Journal
from image_translation.training.interruption import TrainingStoppedError
from tests.reporting.examples import make_content


@pytest.fixture
def journal(task):
    """That of a run which has just begun, with two pairs and a trained model."""
    task.pairs(a="used", b="left_out")
    task.model("unet")
    journal = Journal(task.folders)
    journal.begin()
    return journal


def test_run_without_anything_new_is_fine_and_says_so(task, journal):
    journal.finish("train", 1)
    assert conclude(task.folders, ["train"]) == 0
    summary = task.summary()
    assert summary.startswith("# colorization: finished\n")
    assert "1 pair used, 1 left out" in summary
    assert "Since the run before: none is new." in summary
    assert "- unet: up to date" in summary


def test_new_pairs_and_what_was_trained_are_told(task, journal):
    task.pairs(b="left_out", c="used", d="used", e="left_out")
    task.model("unet", replicates=2)
    task.model("pix2pix")
    assert conclude(task.folders) == 0
    summary = task.summary()
    assert "2 new and used, 1 new and left out and 1 gone." in summary
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
def test_failure_has_a_code_and_is_quoted(task, journal, error, code):
    journal.fail(error, "form_pairs")
    assert conclude(task.folders) == code
    assert "## What went wrong\n\n**form_pairs**" in task.summary()
    assert str(error) in task.summary()


def test_model_that_failed_has_a_code_of_its_own(task, journal):
    task.model("unet", "failed", "replicate 0: training diverged")
    assert conclude(task.folders) == 5
    assert "- unet: failed (replicate 0: training diverged)" in task.summary()


def test_node_that_never_ran_is_a_failure(task, journal):
    journal.finish("train", 1)
    assert conclude(task.folders, ["train", "score"]) == 1
    assert "1 node did not run: score." in task.summary()


def test_node_that_was_cut_off_is_a_failure_told_apart(task, journal):
    journal.finish("train", 1)
    journal.start("score")
    assert conclude(task.folders, ["train", "score", "report"]) == 1
    assert "1 node was cut off: score." in task.summary()
    assert "1 node did not run: report." in task.summary()


def test_cause_of_a_run_that_was_cut_off_decides_its_code(task, journal):
    journal.start("train")
    journal.fail(TrainingStoppedError("stopped", 15))
    assert conclude(task.folders, ["train"]) == 143


def test_failure_outside_of_nodes_is_forgiven_when_all_were_done(task, journal):
    journal.fail(InputError("no server"))
    journal.finish("train", 1)
    assert conclude(task.folders, ["train", "score"]) == 3
    journal.finish("score", 1)
    assert conclude(task.folders, ["train", "score"]) == 0
    assert "no server" not in task.summary()


def test_run_is_over_when_it_was_told(task, journal):
    assert not journal.read().is_over
    conclude(task.folders)
    assert journal.read().is_over
    journal.start("train")  # tried again
    assert not journal.read().is_over


@pytest.mark.parametrize("nodes", [(), ("train",), ("train", "score")])
def test_run_before_that_was_cut_off_is_told(task, journal, nodes):
    journal.note_parent("abc")
    for node in nodes:
        journal.start(node)
    journal.begin()
    assert conclude(task.folders) == 0
    where = f" in {' and '.join(nodes)}" if nodes else ""
    told = rf"The run before, begun \d{{4}}-\d\d-\d\d [\d:]+ \S+, was cut off{where}\."
    assert re.search(told, task.summary())


def test_decision_on_the_model_in_use_is_told(task, journal):
    decision = {
        "outcome": "promoted",
        "reason": "psnr: challenger is better",
        "in_use": {"version": "3", "model": "unet"},
    }
    task.report("promotion.json", json.dumps(decision))
    conclude(task.folders)
    told = "promoted: psnr: challenger is better. In use: version 3, unet."
    assert told in task.summary()


def test_decision_of_an_earlier_run_is_not_told(task):
    task.report("promotion.json", "{}")
    path = task.folders.reporting / "promotion.json"
    journal = Journal(task.folders)
    journal.begin()
    os.utime(path, (0, 0))
    conclude(task.folders)
    assert "No decision was made in this run." in task.summary()


def test_report_is_linked_by_its_name(task, journal):
    content = make_content()
    task.report("report.html")
    task.report("verdicts.csv", content.verdicts.to_csv(index=False))
    task.report("effects.csv", content.effects.to_csv(index=False))
    conclude(task.folders)
    assert "[Report](report.html)" in task.summary()
    assert 'The hypothesis "the GAN is better" is **' in task.summary()
