import json

import pytest
from kedro.io import DatasetError

from image_translation.common.stamps import write_stamped
from image_translation.datasets.models import (
    TrainedModelDataset,
    TrainedModelsDataset,
    WorkspaceDataset,
)
from image_translation.training.trained import TrainedModel, TrainedReplicate
from tests.training.conftest import make_settings


def test_workspace_is_created_on_loading(tmp_path):
    dataset = WorkspaceDataset(filepath=str(tmp_path / "a" / "b"))
    assert not dataset.exists()
    workspace = dataset.load()
    assert workspace.folder.is_dir()
    assert workspace.observers == ()
    assert dataset.exists()


def test_folder_of_a_renamed_model_is_renamed_once(tmp_path):
    (tmp_path / "recommended/replicate-0").mkdir(parents=True)
    dataset = WorkspaceDataset(filepath=str(tmp_path / "residual_unet"))
    folder = dataset.load().folder
    assert (folder / "replicate-0").is_dir()
    (tmp_path / "recommended").mkdir()
    dataset.load()
    assert (tmp_path / "recommended").is_dir()


def test_renamed_model_is_found_in_its_former_folder(tmp_path):
    former = TrainedModel("not run", "former", (), None)
    present = TrainedModel("not run", "present", (), None)
    models = TrainedModelsDataset(filepath=str(tmp_path))
    for name, model in (("recommended", former), ("residual_unet", present)):
        TrainedModelDataset(filepath=str(tmp_path / name / "model.json")).save(model)
        assert models.load() == {"residual_unet": model}


def test_workspace_cannot_be_saved(tmp_path):
    with pytest.raises(DatasetError):
        WorkspaceDataset(filepath=str(tmp_path)).save("anything")


def test_round_trip_of_a_model_that_did_not_run(tmp_path):
    dataset = TrainedModelDataset(filepath=str(tmp_path / "unet" / "model.json"))
    model = TrainedModel("not run", "switched off", (), None)
    assert not dataset.exists()
    dataset.save(model)
    assert dataset.exists()
    assert dataset.load() == model


def test_error_of_a_missing_model_names_the_file(tmp_path):
    with pytest.raises(DatasetError, match=r"model\.json"):
        TrainedModelDataset(filepath=str(tmp_path / "model.json")).load()


def test_model_during_training_is_skipped(tmp_path, caplog):
    for name in ("pix2pix", "unet"):
        folder = tmp_path / name / "replicate-0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"replicate": 0}), "utf-8")
        replicates = (TrainedReplicate.read(folder),)
        model = TrainedModel("trained", None, replicates, 0)
        TrainedModelDataset(filepath=str(folder.parent / "model.json")).save(model)
    models = TrainedModelsDataset(filepath=str(tmp_path))
    assert set(models.load()) == {"pix2pix", "unet"}
    (tmp_path / "pix2pix/replicate-0/config.json").unlink()
    assert set(models.load()) == {"unet"}
    assert f"Skipping {tmp_path / 'pix2pix'}: " in caplog.text
    assert "is being trained" in caplog.text


def test_model_whose_network_was_removed_is_skipped(tmp_path, caplog):
    for name in ("unet", "mine"):
        settings = make_settings("unet")
        dataset = TrainedModelDataset(filepath=str(tmp_path / name / "model.json"))
        dataset.save(TrainedModel("trained", "", (), settings))
    path = tmp_path / "mine/model.json"
    write_stamped(path, path.read_text().replace('"name": "unet"', '"name": "mine"'))
    models = TrainedModelsDataset(filepath=str(tmp_path))
    assert set(models.load()) == {"unet"}
    assert f"{path.parent} was trained with network.name=mine" in caplog.text


def test_preview_of_a_model_that_did_not_run_shows_the_reason(tmp_path):
    dataset = TrainedModelDataset(filepath=str(tmp_path / "model.json"))
    dataset.save(TrainedModel("not run", "switched off", (), None))
    assert dataset.preview()["data"] == [["not run", "switched off"]]


def test_preview_has_one_json_row_per_replicate(tmp_path):
    for number, cost in enumerate(({"gmac": 1.5}, {"seconds": 3.0})):
        folder = tmp_path / f"replicate-{number}"
        folder.mkdir()
        config = {"replicate": number, "best_epoch": 4 + number, "cost": cost}
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
    replicates = tuple(
        TrainedReplicate.read(tmp_path / f"replicate-{number}") for number in range(2)
    )
    dataset = TrainedModelDataset(filepath=str(tmp_path / "model.json"))
    dataset.save(TrainedModel("trained", "", replicates, None))
    preview = dataset.preview()
    assert preview["columns"] == ["replicate", "best_epoch", "gmac", "seconds"]
    assert preview["data"] == [[0, 4, 1.5, None], [1, 5, None, 3.0]]
    json.dumps(preview, allow_nan=False)
