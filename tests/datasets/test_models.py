import pytest
from kedro.io import DatasetError

from image_translation.datasets.models import TrainedModelDataset, WorkspaceDataset
from image_translation.training.trained import TrainedModel


def test_workspace_is_made_when_it_is_loaded(tmp_path):
    dataset = WorkspaceDataset(filepath=str(tmp_path / "a" / "b"))
    assert not dataset.exists()
    workspace = dataset.load()
    assert workspace.folder.is_dir()
    assert workspace.observers == ()
    assert dataset.exists()


def test_workspace_cannot_be_saved(tmp_path):
    with pytest.raises(DatasetError):
        WorkspaceDataset(filepath=str(tmp_path)).save("anything")


def test_model_that_did_not_run_makes_the_round_trip(tmp_path):
    dataset = TrainedModelDataset(filepath=str(tmp_path / "unet" / "model.json"))
    model = TrainedModel("not run", "switched off", (), None)
    assert not dataset.exists()
    dataset.save(model)
    assert dataset.exists()
    assert dataset.load() == model


def test_missing_model_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(DatasetError, match=r"model\.json"):
        TrainedModelDataset(filepath=str(tmp_path / "model.json")).load()
