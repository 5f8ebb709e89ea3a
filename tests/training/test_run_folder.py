import json
import logging

import pytest

from image_translation.common.errors import InputError
from image_translation.common.names import BASELINES
from image_translation.networks import count_parameters
from image_translation.training.fitting import fit
from image_translation.training.losses import loss_labels
from image_translation.training.trained import COLUMNS
from tests.training.conftest import (
    MODELS,
    Recorder,
    diverge_in,
    make_pairs,
    make_settings,
    weights,
)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_leaves_the_same_files(train_model, tmp_path, model):
    trained = train_model(tmp_path, model)
    assert {path.name for path in tmp_path.iterdir()} == {
        "weights.safetensors",
        "config.json",
        "history.csv",
        "fingerprint.json",
    }
    assert tuple(trained.history().columns) == COLUMNS
    assert json.loads((tmp_path / "config.json").read_text()) == trained.config
    assert trained.failure is None


@pytest.mark.parametrize(
    ("model", "epochs", "has_l1", "has_adversarial"),
    [
        ("pix2pix", [1, 2, 3], True, True),
        ("unet", [1, 2, 3], True, False),
        ("structured", [1, 2, 3], True, True),
        ("copy_input", [0], False, False),
        ("mean_target", [0], False, False),
    ],
)
def test_history_holds_what_applies(
    train_model, tmp_path, model, epochs, has_l1, has_adversarial
):
    history = train_model(tmp_path, model).history()
    assert history["epoch"].tolist() == epochs
    assert history[["validation/mse", "validation/psnr"]].notna().all(axis=None)
    assert history["train/l1"].notna().all() == has_l1
    for column in ("train/adversarial", "train/discriminator"):
        assert history[column].notna().all() == has_adversarial
        assert history[column].isna().all() != has_adversarial


def test_every_loss_has_a_column_of_its_own(train_model, tmp_path):
    losses = make_settings("structured").objective.logged_losses
    history = train_model(tmp_path, "structured").history()
    assert losses == list(loss_labels())
    assert (history[[f"train/{name}" for name in losses]] != 0).all(axis=None)


def test_second_run_trains_nothing(train_model, tmp_path, caplog):
    first = train_model(tmp_path)
    recorder = Recorder()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        second = train_model(tmp_path, observers=[recorder])
    assert caplog.messages == ["unet replicate 0 is up to date"]
    assert second == first
    assert not recorder.starts


@pytest.mark.parametrize(
    "changes",
    [
        {"training__replicates": 3},
        {"inference__batch_size": 1},
        {"enabled": False},
        {"training__checkpoint_minutes": 1},
        {"training__device": "cpu"},
        {"inference__temperature": 0.1},
    ],
)
def test_irrelevant_changes_do_not_train_again(train_model, tmp_path, changes):
    train_model(tmp_path)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder], **changes)
    assert not recorder.starts


@pytest.mark.parametrize(
    "changes",
    [
        {"training__epochs": 2},
        {"training__seed": 1},
        {"objective__l1": 2},
        {"network__base_channels": 4},
        {"inference__dropout": True},
        {"training__schedule": "cosine"},
        {"training__accumulate": 2},
        {"training__ema": 0.9},
        {"training__precision": "bf16"},
        {"training__force": True},
        {"network__output": "residual"},
        {"objective__ms_ssim": 1},
        {"inference__flips": True},
        {"replicate": 1},
    ],
)
def test_relevant_changes_train_again(train_model, tmp_path, changes):
    train_model(tmp_path)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder], **changes)
    ((_, has_history, _),) = recorder.starts
    assert not has_history


@pytest.mark.parametrize("side", ["train", "validation"])
def test_new_data_train_again(tmp_path, train_pairs, validation_pairs, side):
    pairs = {"train": train_pairs, "validation": validation_pairs}
    fit(make_settings(), *pairs.values(), tmp_path)
    pairs[side] = make_pairs(4, seed=7)
    recorder = Recorder()
    fit(make_settings(), *pairs.values(), tmp_path, observers=[recorder])
    assert recorder.starts


def test_forced_training_ends_with_the_same_weights(train_model, tmp_path):
    first = weights(train_model(tmp_path))
    assert weights(train_model(tmp_path, training__force=True)) == first


def test_failed_training_is_not_repeated(train_model, tmp_path, monkeypatch):
    diverge_in(monkeypatch, epoch=1)
    first = train_model(tmp_path)
    recorder = Recorder()
    assert train_model(tmp_path, observers=[recorder]) == first
    assert not recorder.starts


@pytest.mark.parametrize("file", ["weights.safetensors", "config.json", "history.csv"])
def test_model_with_a_missing_file_is_trained_again(train_model, tmp_path, file):
    first = weights(train_model(tmp_path))
    (tmp_path / file).unlink()
    assert weights(train_model(tmp_path)) == first
    assert (tmp_path / file).is_file()


def test_too_many_levels_for_the_size_are_an_error(train_model, tmp_path):
    with pytest.raises(InputError, match="network.levels: .*most 5 .* 32 pixels"):
        train_model(tmp_path, "pix2pix", network__levels=6)


@pytest.mark.parametrize("side", ["train", "validation"])
def test_subset_without_pairs_is_an_error(tmp_path, train_pairs, side):
    pairs = {"train": train_pairs, "validation": train_pairs, side: make_pairs(0)}
    with pytest.raises(InputError, match=f"{side} subset .* splitting.fractions"):
        fit(make_settings(), **pairs, folder=tmp_path)


def test_cost_is_counted(train_model, tmp_path, train_pairs):
    trained = train_model(tmp_path)
    cost = trained.cost
    assert cost["parameters"] == count_parameters(trained.load_generator())
    assert cost["epochs"] == 3
    assert cost["samples_seen"] == 3 * len(train_pairs)
    assert cost["seconds"] == pytest.approx(trained.history()["seconds"].sum())
    assert cost["images_per_second"] > 0
    assert cost["gmac"] > 0


@pytest.mark.parametrize("model", BASELINES)
def test_baseline_costs_no_training(train_model, tmp_path, model):
    cost = train_model(tmp_path, model).cost
    assert cost["parameters"] == cost["samples_seen"] == cost["seconds"] == 0
