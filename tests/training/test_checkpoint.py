import logging
import pickle

import pytest
import torch

from image_translation.training.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    write_whole,
)


class Malice:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.pt"
    state = {"fingerprint": "a", "weights": torch.ones(3), "rows": [{}]}
    save_checkpoint(path, state, tmp_path / "previous.pt")
    return path


def test_state_comes_back(path):
    state = load_checkpoint(path, "a")
    assert torch.equal(state["weights"], torch.ones(3))
    assert state["rows"] == [{}]


def test_state_of_another_training_is_not_used(path):
    assert load_checkpoint(path, "b") is None


def test_missing_checkpoint_is_no_matter_for_a_warning(tmp_path, caplog):
    assert load_checkpoint(tmp_path / "checkpoint.pt", "a") is None
    assert not caplog.records


def truncated(content):
    return content[: len(content) // 2]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "spoil",
    [
        truncated,
        lambda content: b"",
        lambda content: b"not a checkpoint",
        lambda content: pickle.dumps({"fingerprint": "a"}),
        lambda content: pickle.dumps(Malice()),
    ],
)
def test_unreadable_checkpoint_is_ignored_with_a_warning(path, spoil, caplog):
    path.write_bytes(spoil(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(path, "b") is None
    assert str(path) in caplog.text
    assert "unreadable" in caplog.text


@pytest.mark.parametrize("content", [["fingerprint"], {"rows": []}, 1])
def test_checkpoint_of_another_form_is_reported(path, content, caplog):
    torch.save(content, path)
    assert load_checkpoint(path, "a") is None
    assert "unreadable" in caplog.text


def test_checkpoint_with_code_is_not_executed(path, caplog):
    torch.save({"fingerprint": "a", "malice": Malice()}, path)
    assert load_checkpoint(path, "a") is None
    assert "unreadable" in caplog.text


def test_writing_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"


def test_previous_checkpoint_is_kept(path, tmp_path):
    previous = tmp_path / "previous.pt"
    assert not previous.exists()
    save_checkpoint(path, {"fingerprint": "a", "epoch": 2}, previous)
    assert load_checkpoint(path, "a")["epoch"] == 2
    assert "epoch" not in load_checkpoint(previous, "a")
