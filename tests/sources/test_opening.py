import pytest

from image_translation.common.errors import InputError
from image_translation.sources import is_path, open_source
from tests.pairing.helpers import write
from tests.sources.archives import zip_of


def test_relative_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path / "images/1.png", 0)
    monkeypatch.chdir(tmp_path)
    assert open_source("images", tmp_path / "raw").root == tmp_path / "images"


def test_missing_folder_is_reported_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist.*source=<folder>"):
        open_source(str(tmp_path / "nowhere"), tmp_path)


def test_missing_source_is_reported_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match='--params "source=<folder>"'):
        open_source(None, tmp_path)


def test_archive_is_opened_as_its_folder(tmp_path):
    archive = zip_of(tmp_path / "my pairs.zip", {"in/1.png": b"x", "out/1.png": b"y"})
    source = open_source(str(archive), tmp_path / "raw")
    assert source.files == ("in/1.png", "out/1.png")
    assert source.name == "my pairs.zip"


def test_file_that_is_not_an_archive_is_reported(tmp_path):
    file = tmp_path / "pairs.zip"
    file.write_text("no archive")
    with pytest.raises(InputError, match=r"pairs\.zip is neither"):
        open_source(str(file), tmp_path / "raw")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("photographs", False),
        ("digits", False),
        ("kaggle:owner/data", False),
        ("kaggle-competition:name", False),
        ("s3://bucket/folder", False),
        ("./photographs", True),
        ("folder", True),
        ("/a/b.zip", True),
    ],
)
def test_is_path(source, expected):
    assert is_path(source) is expected
