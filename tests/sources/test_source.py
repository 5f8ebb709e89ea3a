import os

import pytest

from image_translation.errors import InputError
from image_translation.imaging import photographs
from image_translation.imaging.photographs import PHOTOGRAPHS
from image_translation.sources import Source, list_folder, open_source
from tests.pairing.helpers import write


def test_images_in_sub_folders_are_listed_sorted_by_posix_path(tmp_path):
    for name in ("b/2.png", "a/ü 1.JPG", "10.Jpeg", "b/c/3.tif"):
        write(tmp_path / name, 0)
    source = list_folder(tmp_path)
    assert source.files == ("10.Jpeg", "a/ü 1.JPG", "b/2.png", "b/c/3.tif")
    assert source.root == tmp_path
    assert source.name == tmp_path.name


def test_hidden_files_and_archive_litter_are_skipped(tmp_path):
    for name in ("1.png", ".2.png", ".git/3.png", "__MACOSX/4.png", "a/._5.png"):
        write(tmp_path / name, 0)
    (tmp_path / "readme.txt").write_text("hello")
    assert list_folder(tmp_path).files == ("1.png",)


def test_relative_path_counts_from_where_the_command_is_started(tmp_path, monkeypatch):
    write(tmp_path / "images/1.png", 0)
    monkeypatch.chdir(tmp_path)
    assert open_source("images", tmp_path / "raw").root == tmp_path / "images"


def test_links_are_followed_but_not_in_circles(tmp_path):
    write(tmp_path / "elsewhere/1.png", 0)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "source")
    assert list_folder(tmp_path / "source").files == ("link/1.png",)


def test_folder_that_does_not_exist_is_named_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match=r"no folder .*nowhere.*source=<folder>"):
        open_source(str(tmp_path / "nowhere"), tmp_path)


def test_file_instead_of_folder_is_named(tmp_path):
    file = write(tmp_path / "a.png", 0)
    with pytest.raises(InputError, match=r"a\.png is a file"):
        list_folder(file)


def test_folder_without_images_says_what_it_found(tmp_path):
    for name in ("a.csv", "b.csv", "c.mp4", "noext"):
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"no image.*2 \.csv.*1 without suffix"):
        list_folder(tmp_path)


def test_empty_folder_says_so(tmp_path):
    with pytest.raises(InputError, match="no file at all"):
        list_folder(tmp_path)


def test_missing_source_says_what_to_pass(tmp_path):
    with pytest.raises(InputError, match='--params "source=<folder>"'):
        open_source(None, tmp_path)


def test_name_that_is_no_utf8_is_named(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    with pytest.raises(InputError, match=r"udcff\.png.*rename"):
        list_folder(tmp_path)


def test_json_round_trip(tmp_path):
    source = Source(
        name="é",
        root=tmp_path,
        files=("a\n.png", 'b".png'),
        groups={"a\n.png": "g"},
        sides={"g": "test"},
        credit="somebody",
    )
    assert Source.from_json(source.to_json()) == source


class TestFingerprint:
    def test_does_not_depend_on_where_the_folder_lies(self, tmp_path):
        write(tmp_path / "one/1.png", 0)
        before = list_folder(tmp_path / "one").fingerprint
        (tmp_path / "one").rename(tmp_path / "two")
        assert list_folder(tmp_path / "two").fingerprint == before

    def test_changes_with_the_files(self, tmp_path):
        path = write(tmp_path / "1.png", 0)
        seen = {list_folder(tmp_path).fingerprint}
        write(tmp_path / "2.png", 0)
        seen.add(list_folder(tmp_path).fingerprint)
        path.write_bytes(path.read_bytes() + b"x")
        seen.add(list_folder(tmp_path).fingerprint)
        assert len(seen) == 3

    def test_broken_link_is_no_error(self, tmp_path):
        (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
        assert list_folder(tmp_path).fingerprint


class TestPhotographs:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        few = [p for p in PHOTOGRAPHS if p.name in {"chelsea", "flower", "rocket"}]
        monkeypatch.setattr(photographs, "PHOTOGRAPHS", few)

    @pytest.fixture
    def raw(self, tmp_path):
        return tmp_path / "raw"

    @pytest.fixture
    def source(self, raw):
        return open_source("photographs", raw)

    def test_every_crop_has_its_photo_as_group_and_every_photo_a_side(self, source):
        assert set(source.groups) == set(source.files)
        assert set(source.groups.values()) == set(source.sides)
        assert source.sides == {
            "chelsea": "test",
            "flower": "validation",
            "rocket": "train",
        }
        assert "vultilion on Flickr, CC BY 2.0" in source.credit

    def test_crops_are_made_once(self, source, raw, monkeypatch):
        monkeypatch.setattr(
            photographs, "write_crops", lambda _: pytest.fail("made again")
        )
        assert open_source("photographs", raw) == source

    def test_crops_that_were_cut_off_are_made_anew(self, source, raw):
        (raw / "photographs/fingerprint.json").unlink()
        write(raw / "photographs/chelsea/left-over.png", 0)
        assert open_source("photographs", raw) == source

    def test_nothing_else_in_the_folder_is_touched(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            photographs, "write_crops", lambda root: write(root / "chelsea/1.png", 0)
        )
        write(tmp_path / "mine.png", 0)
        assert open_source("photographs", tmp_path).files == ("chelsea/1.png",)
        assert (tmp_path / "mine.png").exists()
