import pytest

from image_translation.sources.keeping import fill_once


def write_one(text: str):
    return lambda root: (root / "1.txt").write_text(text)


def test_filled_once_for_the_same_things(tmp_path):
    folder = fill_once(tmp_path / "kept", "a", write_one("first"))
    again = fill_once(tmp_path / "kept", "a", lambda _: pytest.fail("filled again"))
    assert again == folder
    assert (folder / "1.txt").read_text() == "first"


def test_filled_anew_for_others(tmp_path):
    fill_once(tmp_path / "kept", "a", lambda root: (root / "old.txt").write_text("x"))
    folder = fill_once(tmp_path / "kept", "b", write_one("new"))
    assert [path.name for path in folder.iterdir()] == ["1.txt"]


def test_what_was_there_stays_until_the_new_one_is_complete(tmp_path):
    folder = fill_once(tmp_path / "kept", "a", write_one("old"))

    def fail(root):
        write_one("half")(root)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        fill_once(tmp_path / "kept", "b", fail)
    assert (folder / "1.txt").read_text() == "old"
    assert (
        fill_once(tmp_path / "kept", "b", write_one("new"))
        .joinpath("1.txt")
        .read_text()
        == "new"
    )


def test_what_was_cut_off_is_never_taken_for_complete(tmp_path):
    folder = fill_once(tmp_path / "kept", "a", write_one("whole"))
    (folder.parent / "fingerprint.json").unlink()
    (folder / "1.txt").write_text("half")
    assert fill_once(tmp_path / "kept", "a", write_one("whole")) == folder
    assert (folder / "1.txt").read_text() == "whole"
