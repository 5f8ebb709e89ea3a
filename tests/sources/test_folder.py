import os

import pytest

from image_translation.common.errors import InputError
from image_translation.sources import list_folder
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


def test_links_are_followed_without_cycles(tmp_path):
    write(tmp_path / "elsewhere/1.png", 0)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "source")
    assert list_folder(tmp_path / "source").files == ("link/1.png",)


def test_file_instead_of_folder_is_reported(tmp_path):
    file = write(tmp_path / "a.png", 0)
    with pytest.raises(InputError, match=r"a\.png is a file"):
        list_folder(file)


def test_folder_without_images_reports_other_files(tmp_path):
    for name in ("a.csv", "b.csv", "c.mp4", "noext"):
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"no image.*2 \.csv.*1 without suffix"):
        list_folder(tmp_path)


def test_empty_folder_is_reported(tmp_path):
    with pytest.raises(InputError, match="no files"):
        list_folder(tmp_path)


def test_name_that_is_not_utf8_is_reported(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    with pytest.raises(InputError, match=r"udcff\.png.*rename"):
        list_folder(tmp_path)
