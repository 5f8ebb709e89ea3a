import contextlib
import errno
import os
import socket

import pytest

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.imaging.decoding import UnreadableImageError, read_image
from image_translation.imaging.photo_files import read_photo
from image_translation.imaging.recipes.painterly import _list_paintings
from image_translation.pairing.labels import _read_column
from image_translation.sources import Source, list_folder
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


def test_name_that_is_not_utf8_is_left_out(tmp_path, caplog):
    write(tmp_path / "a.png", 0)
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    source = list_folder(tmp_path)
    assert (source.files, source.unnamable) == (("a.png",), (r"\xff.png",))
    assert r"ignoring 1 image with a name that is not valid UTF-8" in caplog.text
    assert Source.from_json(source.to_json()) == source


@pytest.fixture
def forbid(monkeypatch):
    """Makes folders unreadable, also for root, whom permissions do not stop."""
    scan = os.scandir

    def forbid(*folders):
        def refuse(path="."):
            if str(path) in map(str, folders):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return forbid


def test_sub_folder_that_cannot_be_read_stops_no_other(tmp_path, forbid, caplog):
    for name in ("a/1.png", "b/2.png", "b/c/3.png", "d/4.png"):
        write(tmp_path / name, 0)
    forbid(tmp_path / "a", tmp_path / "b/c")
    assert list_folder(tmp_path).files == ("b/2.png", "d/4.png")
    (warning,) = caplog.messages
    assert "ignoring 2 sub-folders that cannot be read" in warning
    assert "'a', 'b/c'" in warning


def test_source_that_cannot_be_read_is_reported(tmp_path, forbid):
    forbid(tmp_path)
    with pytest.raises(InputError, match=r"cannot list .*: Permission denied"):
        list_folder(tmp_path)


def make_special(folder):
    """A FIFO, a socket, and links to a device and to the FIFO, named like images."""
    os.mkfifo(folder / "fifo.png")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder):
        server.bind("socket.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "linked.png").symlink_to("fifo.png")


def test_special_files_are_skipped_and_named_in_one_line(tmp_path, caplog):
    write(tmp_path / "1.png", 0)
    make_special(tmp_path)
    assert list_folder(tmp_path).files == ("1.png",)
    (line,) = [r for r in caplog.records if "not regular" in r.message]
    assert "ignoring 4 entries" in line.message
    assert "'fifo.png', 'linked.png', 'socket.png', 'zero.png'" in line.message


def test_broken_link_is_listed_and_reported_later(tmp_path):
    (tmp_path / "1.png").symlink_to("nowhere.png")
    assert list_folder(tmp_path).files == ("1.png",)


def test_folder_of_special_files_has_no_image(tmp_path):
    make_special(tmp_path)
    with pytest.raises(InputError, match="no image"):
        list_folder(tmp_path)


@pytest.mark.parametrize("name", ["fifo.png", "socket.png", "zero.png", "linked.png"])
@pytest.mark.parametrize("read", [file_digest, read_image, read_photo])
def test_special_file_is_not_opened(tmp_path, name, read):
    make_special(tmp_path)
    with pytest.raises((OSError, UnreadableImageError), match="not a regular file"):
        read(tmp_path / name)


def test_special_paintings_are_skipped(tmp_path):
    write(tmp_path / "1.png", 0)
    make_special(tmp_path)
    assert _list_paintings(str(tmp_path)) == [tmp_path / "1.png"]


def test_special_table_of_labels_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(InputError, match="not a regular file"):
        _read_column("labels.csv", "label", tmp_path)
