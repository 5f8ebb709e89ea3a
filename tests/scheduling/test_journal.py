import pytest

from image_translation.errors import FatalFindingsError, InputError
from image_translation.scheduling.journal import Failure, Journal
from image_translation.training.interruption import TrainingStoppedError


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


def test_new_run_takes_the_summary_of_the_run_before_away(task):
    task.report("run_summary.md", "of yesterday")
    Journal(task.folders).begin()
    assert not (task.folders.reporting / "run_summary.md").exists()


def test_without_a_run_there_is_no_record(task):
    with pytest.raises(InputError, match=r"run_journal\.jsonl tells of no run"):
        Journal(task.folders).read()


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (InputError("x"), 3),
        (FatalFindingsError("x"), 4),
        (TrainingStoppedError("x", 15), 143),
    ],
)
def test_cause_of_a_failure_decides_its_code(cause, code):
    try:
        raise RuntimeError("wrapped") from cause
    except RuntimeError as error:
        assert Failure.of(error) == Failure("x", code)


def test_credentials_are_not_told():
    failure = Failure.of(ConnectionError("http://user:secret@host/api is gone"))
    assert failure.error == "ConnectionError: http://host/api is gone"


def test_error_without_words_is_still_named():
    assert Failure.of(KeyboardInterrupt()) == Failure("KeyboardInterrupt()", 130)
    assert Failure.of(MemoryError()) == Failure("MemoryError()", 1)
