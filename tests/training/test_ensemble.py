import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from image_translation.metrics import mse, psnr
from image_translation.networks import count_parameters
from image_translation.training import translate
from image_translation.training.ensemble import combine
from image_translation.training.replicates import train
from image_translation.training.trained import TrainedModel
from image_translation.training.validation import VALIDATED
from tests.training.conftest import Recorder, make_pairs, make_settings

CHANGES = {
    "ensemble": True,
    "network__base_channels": 8,
    "training__replicates": 3,
    "training__epochs": 6,
    "training__learning_rate": 0.01,
    "training__select_by": "last",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with three trainings."""
    folder = tmp_path_factory.mktemp("unet")
    settings = make_settings("unet", **CHANGES)
    return train("unet", settings, make_pairs(6), make_pairs(5, seed=1), folder)


@pytest.fixture
def make(model, validation_pairs, tmp_path):
    """Combine a model, by default that with three trainings."""

    def make(members=model, observers=()):
        folder = tmp_path / "unet_ensemble"
        return combine("unet_ensemble", members, validation_pairs, folder, observers)

    return make


def translations(replicate, inputs, settings):
    return np.concatenate(
        list(translate(replicate.load_generator(), inputs, settings.inference))
    )


def test_weights_on_disk_translate_to_the_mean_of_the_members(model, make):
    (ensemble,) = make().replicates
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        members = [r.load_generator()(images).numpy() for r in model.replicates]
        found = ensemble.load_generator()(images).numpy()
    np.testing.assert_allclose(found, np.mean(members, axis=0), atol=1e-6)
    assert np.ptp(members, axis=0).mean() > 0.05  # the members differ


@pytest.mark.parametrize("flips", [False, True])
def test_error_is_at_most_the_mean_error_of_the_members(model, make, flips):
    """Per image. Rounding to 8 bits moves a root mean squared error by half a level.

    It does so for the ensemble and for the members, hence the tolerance of one level.
    """
    inference = model.settings.inference.model_copy(update={"flips": flips})
    settings = model.settings.model_copy(update={"inference": inference})
    (ensemble,) = make(replace(model, settings=settings)).replicates
    pairs = make_pairs(20, seed=2)
    own = translations(ensemble, pairs.inputs, settings)
    members = [translations(r, pairs.inputs, settings) for r in model.replicates]
    errors = np.array([mse(images, pairs.targets) for images in members])
    level = 1 / 255
    bound = np.sqrt(errors.mean(axis=0)) + level
    assert (np.sqrt(mse(own, pairs.targets)) <= bound).all()
    assert mse(own, pairs.targets).mean() < errors.mean()
    worst = np.min([psnr(images, pairs.targets) for images in members], axis=0)
    assert (psnr(own, pairs.targets) >= worst - 0.1).all()


def test_mean_psnr_of_members_can_exceed_that_of_their_mean():
    """The logarithm rewards one perfect member: the bound holds for the MSE only."""
    target = np.zeros((1, 8, 8, 3), np.uint8)
    members = [target + 1, target + 63]
    mean = np.mean(members, axis=0).astype(np.uint8)
    assert mse(mean, target) <= np.mean([mse(m, target) for m in members])
    assert psnr(mean, target) < np.mean([psnr(m, target) for m in members])


def test_ensemble_is_a_model_with_one_training(model, make):
    made = make()
    (ensemble,) = made.replicates
    assert (made.status, ensemble.best_epoch, ensemble.members) == ("trained", 0, 3)
    costs = [replicate.cost for replicate in model.replicates]
    assert ensemble.cost["parameters"] == count_parameters(ensemble.load_generator())
    for name in ("parameters", "gmac", "seconds", "epochs", "samples_seen"):
        assert ensemble.cost[name] == pytest.approx(sum(cost[name] for cost in costs))
    history = ensemble.history()
    assert len(history) == 1
    assert history[[f"validation/{name}" for name in VALIDATED]].notna().all(axis=None)
    folder = ensemble.folder.parent
    again = TrainedModel.from_json(made.to_json(), folder)
    assert again.replicates[0].members == 3


def test_ensemble_is_combined_again_only_if_a_member_changes(model, make):
    (ensemble,) = make().replicates
    path = ensemble.folder / "weights.safetensors"
    before = path.stat().st_mtime_ns
    recorder = Recorder()
    make(observers=[recorder])
    assert path.stat().st_mtime_ns == before
    assert not recorder.ends
    make(replace(model, replicates=model.replicates[:2]), observers=[recorder])
    assert path.stat().st_mtime_ns != before
    (start,), (end,) = recorder.starts, recorder.ends
    assert start[:2] == (0, False)  # a new run in MLflow
    assert end.members == 2
    assert set(recorder.epochs) == {0}


def test_damaged_ensemble_is_combined_again(make):
    (ensemble,) = make().replicates
    path = ensemble.folder / "weights.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    make()
    assert path.read_bytes() == content


def test_ensemble_does_not_depend_on_the_folder_of_its_members(
    model, validation_pairs, tmp_path
):
    copies = []
    for replicate in model.replicates:
        folder = shutil.copytree(replicate.folder, tmp_path / replicate.folder.name)
        copies.append(replace(replicate, folder=folder))
    members = replace(model, replicates=tuple(copies))
    made = combine("e", members, validation_pairs, tmp_path / "e")
    for replicate in copies:
        shutil.rmtree(replicate.folder)
    made.replicates[0].load_generator()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": make_settings("unet")}, "ensemble=false"),
        ({"status": "failed", "reason": "replicate 1: NaN"}, "replicate 1: NaN"),
        ({"status": "not run", "replicates": ()}, "not run"),
        ({"replicates": 1}, "training.replicates=2"),
    ],
)
def test_without_several_trainings_there_is_no_ensemble(
    model, make, tmp_path, changes, reason
):
    if changes.get("replicates") == 1:
        changes = {"replicates": model.replicates[:1]}
    made = make(replace(model, **changes))
    assert (made.status, made.replicates) == ("not run", ())
    assert reason in made.reason
    assert not (tmp_path / "unet_ensemble").exists()
