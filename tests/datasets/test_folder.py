import pytest
from kedro.io import DatasetError

from image_translation.datasets.folder import FolderDataset


def test_folder_is_created_when_it_is_loaded(tmp_path):
    dataset = FolderDataset(filepath=str(tmp_path / "a/b"))
    assert not dataset.exists()
    assert dataset.load() == tmp_path / "a/b"
    assert dataset.exists()
    assert dataset.load().is_dir()


def test_existing_files_are_kept(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    FolderDataset(filepath=str(tmp_path)).load()
    assert (tmp_path / "a.txt").read_text() == "x"


def test_saving_is_rejected(tmp_path):
    with pytest.raises(DatasetError, match="can only be an input"):
        FolderDataset(filepath=str(tmp_path)).save(tmp_path)


def test_description_contains_the_folder(tmp_path):
    assert str(tmp_path) in str(FolderDataset(filepath=str(tmp_path)))
