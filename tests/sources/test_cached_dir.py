import pytest

from image_translation.sources.cached_dir import cached_dir


def write_one(text: str):
    return lambda root: (root / "1.txt").write_text(text)


def test_filled_once_per_fingerprint(tmp_path):
    folder = cached_dir(tmp_path / "kept", "a", write_one("first"))
    again = cached_dir(tmp_path / "kept", "a", lambda _: pytest.fail("filled again"))
    assert again == folder
    assert (folder / "1.txt").read_text() == "first"


def test_filled_again_for_another_fingerprint(tmp_path):
    cached_dir(tmp_path / "kept", "a", lambda root: (root / "old.txt").write_text("x"))
    folder = cached_dir(tmp_path / "kept", "b", write_one("new"))
    assert [path.name for path in folder.iterdir()] == ["1.txt"]


def test_previous_files_are_kept_until_the_new_ones_are_complete(tmp_path):
    folder = cached_dir(tmp_path / "kept", "a", write_one("old"))

    def fail(root):
        write_one("half")(root)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        cached_dir(tmp_path / "kept", "b", fail)
    assert (folder / "1.txt").read_text() == "old"
    assert (
        cached_dir(tmp_path / "kept", "b", write_one("new"))
        .joinpath("1.txt")
        .read_text()
        == "new"
    )


def test_incomplete_files_are_never_used(tmp_path):
    folder = cached_dir(tmp_path / "kept", "a", write_one("whole"))
    (folder.parent / "fingerprint.json").unlink()
    (folder / "1.txt").write_text("half")
    assert cached_dir(tmp_path / "kept", "a", write_one("whole")) == folder
    assert (folder / "1.txt").read_text() == "whole"
