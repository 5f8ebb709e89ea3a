import os

import pytest

from image_translation.errors import InputError
from image_translation.runs.exit_codes import Failure
from image_translation.scheduling.journal import CutOff, Journal


def test_journal_tells_what_nodes_did(task):
    task.pairs(a="used", b="left_out")
    task.model("unet")
    journal = Journal(task.folders)
    journal.begin()
    journal.finish("train", 1.5)
    journal.fail(ValueError("no"), "score")
    record = journal.read()
    assert record.seconds == {"train": 1.5}
    assert record.failures == {"score": Failure("ValueError: no", 1)}
    assert record.before.pairs == {"a": "used", "b": "left_out"}
    assert list(record.before.models["unet"].replicates) == ["replicate-0"]
    assert record.ended >= record.began


def test_node_that_came_to_its_end_when_tried_again_has_not_failed(task):
    Journal(task.folders).begin()
    Journal(task.folders).fail(ValueError("no"), "train")
    Journal(task.folders).finish("train", 1)  # another process
    record = Journal(task.folders).read()
    assert not record.failures
    assert "train" in record.seconds


def test_node_that_is_tried_again_has_neither_failed_nor_come_to_its_end(task):
    journal = Journal(task.folders)
    journal.begin()
    journal.finish("train", 1)
    journal.fail(ValueError("no"), "score")
    for node in ("train", "score"):
        journal.start(node)
    record = journal.read()
    assert record.unfinished == ["train", "score"]
    assert not (record.seconds or record.failures)


@pytest.mark.parametrize(
    "torn", ['{"time": 1, "event": "fini', "\0\0\0", "\udcff", "7"]
)
def test_line_that_was_torn_spoils_no_other(task, torn):
    journal = Journal(task.folders)
    journal.begin()
    journal.finish("train", 1)
    with journal.path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n" + torn)
    journal.finish("score", 2)
    assert journal.read().seconds == {"train": 1, "score": 2}


def test_torn_beginning_tells_of_no_run(task):
    Journal(task.folders).begin()
    Journal(task.folders).path.write_text('\n{"time": 1, "eve')
    with pytest.raises(InputError, match=r"run_journal\.jsonl tells of no run"):
        Journal(task.folders).read()
    assert Journal(task.folders).begin().cut_off is None


def begin_and_leave(journal, key=None):
    """A run that was cut off in its training; returns what is known of it."""
    began = journal.begin(key).began
    journal.note_parent("abc")
    journal.start("train")
    return CutOff(began, ["train"])


@pytest.mark.parametrize("keys", [(None, None), ("night 1", "night 2"), (None, "x")])
def test_run_that_never_ended_was_cut_off(task, keys):
    journal = Journal(task.folders)
    left = begin_and_leave(journal, keys[0])
    record = journal.begin(keys[1])
    assert record.cut_off == left
    assert record.left == ["abc"]
    assert record.parent is None
    assert not record.unfinished


def test_run_that_has_only_begun_passes_on_what_it_knows(task):
    journal = Journal(task.folders)
    left = begin_and_leave(journal)
    assert [journal.begin().cut_off for _ in range(2)] == [left, left]


def test_run_that_ended_was_not_cut_off(task):
    journal = Journal(task.folders)
    begin_and_leave(journal)
    journal.end()
    assert journal.begin().cut_off is None


def test_run_that_was_cut_off_is_not_forgotten_until_mlflow_was_told(task):
    journal = Journal(task.folders)
    begin_and_leave(journal)
    journal.begin()
    journal.fail(InputError("no server"))
    journal.end()
    record = journal.begin()
    assert (record.cut_off, record.left) == (None, ["abc"])
    journal.note_killed()
    journal.end()
    assert journal.begin().left == []


def test_run_of_another_process_that_lives_goes_on(task, monkeypatch):
    journal = Journal(task.folders)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", os.getppid)
        begin_and_leave(journal)
    assert journal.is_busy()
    record = journal.begin()
    assert (record.cut_off, record.left) == (None, [])
    assert not journal.is_busy()


def test_same_key_is_the_same_run(task):
    journal = Journal(task.folders)
    left = begin_and_leave(journal)
    journal.begin("night 1")
    journal.note_parent("def")
    journal.start("train")
    record = journal.begin("night 1")
    assert record.parent == "def"
    assert record.cut_off == left


def test_new_run_takes_the_summary_of_the_run_before_away(task):
    task.report("run_summary.md", "of yesterday")
    Journal(task.folders).begin()
    assert not (task.folders.reporting / "run_summary.md").exists()


def test_without_a_run_there_is_no_record(task):
    with pytest.raises(InputError, match=r"run_journal\.jsonl tells of no run"):
        Journal(task.folders).read()
