import os

import pytest

from image_translation.app.files import KEEP_SECONDS, SessionFiles, safe_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo (1).JPG", "photo (1).JPG"),
        ("Übung é 写真.png", "Übung é 写真.png"),
        ("../../etc/passwd", "passwd"),
        (r"C:\photos\cat.png", "cat.png"),
        ("a\nb\x00c.png", "abc.png"),
        (".hidden.png", "hidden.png"),
        ("no suffix", "no suffix"),
        ("..", "photograph"),
        ("/", "photograph"),
        ("", "photograph"),
    ],
)
def test_name_is_kept_without_its_path(given, kept):
    assert safe_name(given) == kept


@pytest.mark.parametrize("name", ["ü" * 300 + ".png", "a." + "b" * 300])
def test_name_is_limited_in_length(name, tmp_path):
    (tmp_path / safe_name(name)).touch()


def test_end_of_a_session_deletes_only_its_files(tmp_path):
    files = SessionFiles(tmp_path)
    folders = [files.new_folder(session) for session in ("a", "a", "b")]
    for folder in folders:
        (folder / "photo.png").touch()
    files.end("a")
    files.end("never seen")
    assert list(tmp_path.iterdir()) == [folders[2]]


def test_expired_files_are_deleted(tmp_path):
    now = 10**9
    files = SessionFiles(tmp_path, clock=lambda: now)
    old, young = files.new_folder("gone"), files.new_folder("here")
    os.utime(old, (now - KEEP_SECONDS - 1,) * 2)
    os.utime(young, (now - KEEP_SECONDS + 1,) * 2)
    newest = files.new_folder("here")
    assert set(tmp_path.iterdir()) == {young, newest}
