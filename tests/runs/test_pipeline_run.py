import pytest

from image_translation.common.errors import InputError
from image_translation.runs.exit_codes import Failure
from image_translation.runs.mlflow_position import read_sent
from image_translation.runs.pipeline_run import (
    begin_run,
    find_run,
    join_run,
    list_runs,
    remove_sent,
)
from image_translation.runs.record import CutOff


def test_record_has_the_outcome_of_each_node(task):
    task.pairs(a="used", b="left_out")
    task.model("unet")
    run = begin_run(task.folders)
    run.log.append("finished", node="train", seconds=1.5)
    run.fail(ValueError("no"), "score")
    record = run.read()
    assert record.seconds == {"train": 1.5}
    assert record.failures == {"score": Failure("ValueError: no", 1)}
    assert record.before.pairs == {"a": "used", "b": "left_out"}
    assert list(record.before.models["unet"].replicates) == ["replicate-0"]
    assert record.ended >= record.began


def test_retry_that_succeeds_replaces_the_failure(task):
    begin_run(task.folders).fail(ValueError("no"), "train")
    (run,) = list_runs(task.folders)  # another process
    run.log.append("finished", node="train", seconds=1)
    record = run.read()
    assert not record.failures
    assert "train" in record.seconds


def test_retried_node_is_neither_failed_nor_finished(task):
    run = begin_run(task.folders)
    run.log.append("finished", node="train", seconds=1)
    run.fail(ValueError("no"), "score")
    for node in ("train", "score"):
        run.log.append("started", node=node)
    record = run.read()
    assert record.unfinished == ["train", "score"]
    assert not (record.seconds or record.failures)


def test_failure_is_recorded_once_on_request(task):
    run = begin_run(task.folders)
    run.fail(InputError("no folder x"), "list")
    run.fail_once(InputError("no folder x"))
    assert list(run.read().failures) == ["list"]
    run.fail_once(InputError("another"))
    assert list(run.read().failures) == ["list", ""]


@pytest.mark.parametrize("text", ["", "torn", '{"event": "began", "time": 1}'])
def test_run_without_a_readable_beginning_is_an_error(task, text):
    run = begin_run(task.folders)
    run.log.path.write_text(text)
    with pytest.raises(InputError, match=r"events\.jsonl cannot be read"):
        run.read()


def begin_and_leave(folders, key=None):
    """A run that is interrupted in its training, as the next run sees it."""
    run = begin_run(folders, key)
    run.run_id = "abc"
    run.log.append("started", node="train")
    return CutOff(run.read().began, ["train"])


@pytest.mark.parametrize("keys", [(None, None), ("night 1", "night 2"), (None, "x")])
def test_interrupted_run_is_ended_by_the_next(task, keys):
    cut_off = begin_and_leave(task.folders, keys[0])
    run = begin_run(task.folders, keys[1])
    record = run.read()
    assert record.cut_off == cut_off
    assert run.run_id is None
    assert not record.unfinished
    left = list_runs(task.folders)[0].log.read()[-1]
    assert (left["event"], left["status"]) == ("ended", "KILLED")


def test_run_that_has_only_begun_is_reused(task):
    cut_off = begin_and_leave(task.folders)
    runs = [begin_run(task.folders) for _ in range(2)]
    assert [run.read().cut_off for run in runs] == [cut_off, cut_off]
    assert runs[0].folder == runs[1].folder


def test_run_that_ended_was_not_interrupted(task):
    begin_and_leave(task.folders)
    list_runs(task.folders)[-1].log.append("ended", status="FINISHED")
    assert begin_run(task.folders).read().cut_off is None


def test_run_without_summary_is_not_named_as_interrupted(task):
    run = begin_run(task.folders, has_summary=False)
    run.log.append("started", node="tune")
    assert begin_run(task.folders).read().cut_off is None
    assert run.read().is_over


def test_active_run_is_left_alone(task):
    active = begin_run(task.folders)
    active.run_id = "abc"
    assert not active.is_active
    with active.hold():
        assert active.is_active
        assert begin_run(task.folders).read().cut_off is None
        assert not active.read().is_over
    assert not active.is_active
    active.log.append("started", node="train")
    assert begin_run(task.folders).read().cut_off is not None


def test_same_key_is_the_same_run(task):
    cut_off = begin_and_leave(task.folders)
    run = begin_run(task.folders, "night 1")
    run.run_id = "def"
    run.log.append("started", node="train")
    again = begin_run(task.folders, "night 1")
    assert (again.folder, again.run_id) == (run.folder, "def")
    assert again.read().cut_off == cut_off
    assert not again.read().unfinished


def test_same_key_resumes_an_ended_run(task):
    run = begin_run(task.folders, "night 1")
    run.run_id = "def"
    run.log.append("ended", status="FAILED")
    again = begin_run(task.folders, "night 1")
    assert (again.folder, again.run_id) == (run.folder, "def")
    assert not again.read().is_over
    kinds = [event["event"] for event in again.log.read()]
    assert kinds[kinds.index("ended") + 1] == "resumed"


def test_new_run_removes_the_previous_summary(task):
    task.report("run_summary.md", "of yesterday")
    begin_run(task.folders, has_summary=False)
    assert task.summary() == "of yesterday"
    begin_run(task.folders)
    assert not (task.folders.reporting / "run_summary.md").exists()


def test_shared_run_is_found_by_its_id(task):
    run = begin_run(task.folders, "night 1")
    run.run_id = "abc"
    begin_run(task.folders)
    assert join_run(task.folders, "abc").folder == run.folder
    assert find_run(task.folders, "def") is None
    joined = join_run(task.folders, "def")  # begun by nobody
    assert joined.run_id == "def"
    assert join_run(task.folders, "def").folder == joined.folder


def test_ended_run_continues_when_a_process_joins_it(task):
    run = begin_run(task.folders, "night 1")
    run.run_id = "abc"
    run.log.append("ended", status="FAILED")
    assert not join_run(task.folders, "abc").read().is_over


def test_logs_are_removed_once_they_are_sent(task):
    runs = []
    for _ in range(3):
        runs.append(begin_run(task.folders))
        runs[-1].run_id = "abc"
        runs[-1].log.append("ended", status="FINISHED")
    events = len(runs[0].log.read())
    sent = read_sent(runs[0].folder)
    type(sent)(sent.run_id, None, events).write(runs[0].folder)
    remove_sent(task.folders)
    assert [run.folder for run in list_runs(task.folders)] == [
        run.folder for run in runs[1:]
    ]
