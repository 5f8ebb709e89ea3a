import json

import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.common.errors import InputError, causes
from image_translation.datasets.checked import (
    CheckedCSVDataset,
    CheckedJSONDataset,
    RestoredCSVDataset,
)
from image_translation.datasets.remembered import RememberedCSVDataset

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "=y", "z"]})
SAVE = {"index": False}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "primary/split.csv"


@pytest.fixture
def restored(path):
    dataset = RestoredCSVDataset(filepath=str(path), save_args=SAVE)
    dataset.save(FRAME)
    return dataset


def message(caught) -> str:
    """The message of the `InputError` behind an error of Kedro."""
    (found,) = (e for e in causes(caught.value) if isinstance(e, InputError))
    return str(found)


def test_checked_file_is_written_as_a_whole(path):
    dataset = CheckedCSVDataset(filepath=str(path), save_args=SAVE)
    dataset.save(FRAME)
    pd.testing.assert_frame_equal(dataset.load(), FRAME)
    before = path.read_bytes()
    with pytest.raises(DatasetError):
        dataset.save(object())
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.tmp"))


def test_checked_file_that_changed_is_an_error_until_it_is_saved(path, caplog):
    dataset = CheckedCSVDataset(filepath=str(path), save_args=SAVE)
    dataset.save(FRAME)
    path.write_text("a,b\n1,x\n")
    with pytest.raises((DatasetError, InputError)) as caught:
        dataset.load()
    assert "split.csv is damaged" in message(caught)
    dataset.save(FRAME)
    assert "split.csv has changed in size" in caplog.text
    pd.testing.assert_frame_equal(dataset.load(), FRAME)


@pytest.mark.parametrize("content", [b"", b"{", b"\x89\xff\x00"])
def test_unreadable_file_without_a_stamp_is_named(tmp_path, content):
    path = tmp_path / "promotion.json"
    path.write_bytes(content)
    with pytest.raises((DatasetError, InputError)) as caught:
        CheckedJSONDataset(filepath=str(path)).load()
    assert f"{path} cannot be read" in message(caught)


def test_file_of_an_earlier_version_is_read(tmp_path):
    path = tmp_path / "promotion.json"
    path.write_text(json.dumps({"a": 1}))
    assert CheckedJSONDataset(filepath=str(path)).load() == {"a": 1}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
    ],
    ids=["gone", "empty", "truncated"],
)
def test_damaged_file_is_restored(path, restored, damage, caplog):
    damage(path)
    changed = path.read_bytes() if path.exists() else None
    reader = RememberedCSVDataset(filepath=str(path))
    pd.testing.assert_frame_equal(reader.load(), FRAME)
    pd.testing.assert_frame_equal(restored.load(), FRAME)
    assert caplog.text.count("is restored from its copy") == 1
    aside = path.with_name("split.csv.changed")
    assert (aside.read_bytes() if aside.exists() else None) == changed


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_damaged_stamp_of_a_good_file_is_recreated(path, restored, content, caplog):
    stamp = path.with_name(".split.csv.fingerprint.json")
    before = stamp.read_text()
    stamp.write_text(content)
    pd.testing.assert_frame_equal(restored.load(), FRAME)
    assert f"{stamp} was damaged" in caplog.text
    assert stamp.read_text() == before


def test_edited_file_can_be_adopted(path, restored):
    edited = "a,b\n7,edited\n"
    path.write_text(edited)
    restored.load()
    path.with_name("split.csv.changed").replace(path)
    path.with_name(".split.csv.fingerprint.json").unlink()
    assert restored.load()["a"].tolist() == [7]


def test_file_and_copy_that_are_damaged_are_named(path, restored):
    path.write_text("")
    path.with_name(".split.csv.copy").write_text("")
    with pytest.raises((DatasetError, InputError)) as caught:
        restored.load()
    assert "Restore one of them from a backup, or remove the folder" in message(caught)


def test_removed_folder_begins_anew(path, restored):
    for file in path.parent.iterdir():
        file.unlink()
    assert RememberedCSVDataset(filepath=str(path)).load() is None
