import os
from contextvars import copy_context

import pytest

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import (
    Stamp,
    Stamped,
    WorkNeeded,
    begin_node,
    dry_run,
    had_work,
    make_all_if_stale,
    make_if_stale,
    read_stamped,
    write_stamped,
)


def never():
    raise AssertionError("made although up to date")


@pytest.fixture
def folder(tmp_path):
    """A stamped folder of two files."""
    folder = tmp_path / "output"
    (folder / "part").mkdir(parents=True)
    (folder / "a.csv").write_text("1,2\n")
    (folder / "part/b.bin").write_bytes(bytes(100))
    Stamp(folder).write("f")
    return folder


class TestOutputsOfNodes:
    @pytest.fixture(autouse=True)
    def nothing_stored(self):
        yield
        begin_node()

    def test_output_is_made_without_a_session(self):
        assert make_if_stale("f", lambda: 1) == Stamped("f", 1)

    def test_stored_output_is_not_made(self):
        begin_node({"f", "g"})
        assert make_if_stale("f", never) == Stamped("f", None)
        assert make_if_stale("h", lambda: 1) == Stamped("h", 1)

    def test_several_outputs_are_made_together_or_not_at_all(self):
        assert make_all_if_stale("f", lambda: "ab", 2) == (
            Stamped("f", "a"),
            Stamped("f", "b"),
        )
        begin_node({"f"})
        assert make_all_if_stale("f", never, 2) == (Stamped("f", None),) * 2

    def test_node_has_work_if_any_output_is_stale(self):
        assert had_work() is None
        begin_node({"f"})
        make_if_stale("f", never)
        assert had_work() is False
        make_if_stale("g", lambda: 1)
        make_if_stale("f", never)
        assert had_work() is True
        begin_node()
        assert had_work() is None

    def test_other_threads_know_nothing_of_the_stored_outputs(self):
        other = copy_context()
        other.run(begin_node, {"f"})
        assert make_if_stale("f", lambda: 1).value == 1


@pytest.mark.parametrize("name", ["folder", "table.csv"])
def test_stamp_matches_only_what_was_written_last(tmp_path, name):
    output = tmp_path / name
    if output.suffix:
        output.write_text("1,2\n")
    else:
        output.mkdir()
    stamp = Stamp(output)
    assert not stamp.matches("a")
    stamp.write("a")
    assert stamp.matches("a") and not stamp.matches("b")
    stamp.clear()
    assert not stamp.matches("a")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"fingerprint": "f"}'])
def test_damaged_stamp_matches_nothing(folder, text):
    stamp = Stamp(folder)
    stamp.path.write_text(text)
    assert stamp.read() is None


def remove(file):
    file.unlink()


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def flip(file):
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["a.csv", "part/b.bin"])
@pytest.mark.parametrize("damage", [remove, truncate, flip])
def test_damaged_output_is_not_up_to_date(folder, name, damage, caplog):
    damage(folder / name)
    # the stamp is older, also on a file system with coarse times
    os.utime(Stamp(folder).path, ns=(0, 0))
    assert Stamp(folder).read() is None
    assert str(folder / name) in caplog.text
    with pytest.raises(InputError, match=f"{name} is damaged.*Remove"):
        Stamp(folder).verify()


def test_rewritten_equal_files_are_up_to_date(folder):
    os.utime(Stamp(folder).path, ns=(0, 0))
    assert Stamp(folder).read() == "f"


def test_change_that_hides_its_time_is_found_by_the_full_check(folder):
    file = folder / "part/b.bin"
    flip(file)
    os.utime(file, ns=(0, 0))
    assert Stamp(folder).read() == "f"
    with pytest.raises(InputError, match="b.bin is damaged"):
        Stamp(folder).verify()
    assert not Stamp(folder).is_intact()


def test_copy_of_a_stamped_file(tmp_path):
    path, copy = tmp_path / "split.csv", tmp_path / "copy"
    for file in (path, copy):
        file.write_text("1,2\n")
    assert not Stamp(path).matches_copy(copy)
    Stamp(path).write("")
    assert Stamp(path).matches_copy(copy)
    truncate(copy)
    assert not Stamp(path).matches_copy(copy)
    copy.unlink()
    assert not Stamp(path).matches_copy(copy)


def test_stamped_text_that_changes_is_an_error(tmp_path, caplog):
    path = tmp_path / "model.json"
    write_stamped(path, "ü")
    assert read_stamped(path) == "ü" and not caplog.text
    truncate(path)
    with pytest.raises(InputError, match="model.json is damaged"):
        read_stamped(path)
    write_stamped(path, "new")
    assert "model.json has changed in size" in caplog.text
    assert read_stamped(path) == "new"


def test_text_without_a_stamp_is_read(tmp_path):
    (tmp_path / "model.json").write_text("old")
    assert read_stamped(tmp_path / "model.json") == "old"


def test_chosen_files_are_stamped(folder):
    Stamp(folder).write("g", [folder / "a.csv"])
    truncate(folder / "part/b.bin")
    assert Stamp(folder).read() == "g"
    truncate(folder / "a.csv")
    assert Stamp(folder).read() is None


def test_update_writes_only_what_is_stale(tmp_path):
    output = tmp_path / "new/output"
    texts = []

    def write():
        texts.append(len(texts))
        (output / "a.txt").write_text(str(len(texts)))

    for text in ("f", "f", "g"):
        Stamp(output).update(text, write)
    assert len(texts) == 2 and Stamp(output).read() == "g"
    (output / "a.txt").unlink()
    Stamp(output).update("g", write)
    assert (output / "a.txt").read_text() == "3"


def test_failed_update_leaves_no_stamp(folder):
    with pytest.raises(AssertionError):
        Stamp(folder).update("g", never)
    assert Stamp(folder).read() is None


def test_log_names_what_changed(tmp_path, caplog):
    caplog.set_level("INFO")
    output = tmp_path / "new"
    for epochs in (1, 1, 2):
        Stamp(output).update(fingerprint(epochs=epochs), lambda: None)
    begin_node({Stamp(output).read()}, "unet.score")
    make_if_stale(fingerprint(epochs=3), lambda: 1)
    begin_node()
    assert [record.message for record in caplog.records] == [
        f"{tmp_path.parent.name}/{tmp_path.name}/new is up to date",
        f"{tmp_path.parent.name}/{tmp_path.name}/new is made again: epochs: 1 → 2",
        "unet.score is made again: epochs: 2 → 3",
    ]


def test_dry_run_raises_the_reason_in_place_of_work(tmp_path):
    output = tmp_path / "new"
    with dry_run(), pytest.raises(WorkNeeded, match="missing or incomplete"):
        Stamp(output).update("f", never)
    assert not output.exists()
    with dry_run(), pytest.raises(WorkNeeded):
        make_if_stale("f", never)


def test_content_does_not_depend_on_the_fingerprint(folder):
    before = Stamp(folder).read_content()
    Stamp(folder).write("g")
    assert Stamp(folder).read_content() == before
    truncate(folder / "a.csv")
    assert Stamp(folder).read_content() is None
