import copy
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from image_translation.metrics import mse
from image_translation.training.averaging import recompute_statistics
from image_translation.training.devices import pick_device
from image_translation.training.fitting import fit
from image_translation.training.inference import translate
from tests.training.conftest import (
    SIZE,
    Recorder,
    assert_same_training,
    make_settings,
)


@pytest.mark.parametrize("select_by", ["mse", "psnr", "ssim", "swd", "last"])
def test_weights_are_those_of_the_best_epoch(
    train_model, tmp_path, validation_pairs, select_by
):
    trained = train_model(tmp_path, training__select_by=select_by, training__epochs=4)
    history = trained.history().set_index("epoch")
    if select_by == "last":
        best = 4
        assert trained.validation_score is None
    else:
        column = history[f"validation/{select_by}"]
        best = column.idxmin() if select_by in ("mse", "swd") else column.idxmax()
        assert trained.validation_score == pytest.approx(column[best])
    assert trained.best_epoch == best
    settings = make_settings().inference
    predictions = np.concatenate(
        list(translate(trained.load_generator(), validation_pairs.inputs, settings))
    )
    scores = mse(predictions, validation_pairs.targets)
    assert scores.mean() == pytest.approx(history.loc[best, "validation/mse"])


def test_infinite_psnr_counts_as_100_db(tmp_path, train_pairs, validation_pairs):
    same = replace(validation_pairs, targets=validation_pairs.inputs)
    trained = fit(make_settings("copy_input"), train_pairs, same, tmp_path)
    assert trained.history()["validation/psnr"].tolist() == [100]


def test_last_epoch_is_saved_even_if_it_is_not_the_best(
    tmp_path, train_pairs, validation_pairs
):
    # Validation targets are the opposite of those in training, so that scores get worse.
    pairs = train_pairs, replace(validation_pairs, targets=validation_pairs.inputs)

    def fit_by(select_by, folder, observers=()):
        settings = make_settings(
            training__select_by=select_by,
            training__epochs=4,
            training__batch_size=2,
            network__base_channels=8,
        )
        return fit(settings, *pairs, tmp_path / folder, observers=observers)

    last = fit_by("last", "last")
    assert fit_by("psnr", "best").best_epoch < last.best_epoch == 4
    with pytest.raises(KeyboardInterrupt):
        fit_by("last", "cut", [Recorder(interrupt_at=3)])
    assert_same_training(last, fit_by("last", "cut"))


def test_averaged_weights_have_batch_statistics_of_their_own(
    train_model, tmp_path, train_pairs
):
    changes = {"training__ema": 0.9, "training__select_by": "last"}
    whole = train_model(tmp_path / "whole", **changes)
    found = whole.load_generator()
    expected = copy.deepcopy(found)
    recompute_statistics(expected, train_pairs.inputs, 4, pick_device())
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value)
    with pytest.raises(KeyboardInterrupt):
        train_model(tmp_path / "cut", observers=[Recorder(interrupt_at=2)], **changes)
    assert_same_training(whole, train_model(tmp_path / "cut", **changes))


def test_observer_receives_metrics_and_fixed_samples(
    train_model, tmp_path, validation_pairs
):
    recorder = Recorder()
    trained = train_model(tmp_path, "pix2pix", observers=[recorder])
    assert recorder.ends == [trained]
    history = trained.history().set_index("epoch")
    for epoch, (metrics, samples) in recorder.epochs.items():
        # losses that this model does not have are empty in the table
        assert metrics == pytest.approx(history.loc[epoch].dropna().to_dict())
        assert samples.shape == (4 * SIZE, 3 * SIZE, 3)
        assert samples.dtype == np.uint8
        first = samples[:SIZE]
        np.testing.assert_array_equal(first[:, :SIZE], validation_pairs.inputs[0])
        np.testing.assert_array_equal(first[:, -SIZE:], validation_pairs.targets[0])


def test_observer_receives_samples_before_the_first_step(
    train_model, tmp_path, validation_pairs
):
    whole = train_model(tmp_path / "unobserved", "pix2pix")
    recorder = Recorder()
    observed = train_model(tmp_path / "observed", "pix2pix", observers=[recorder])
    assert_same_training(whole, observed)
    first, (_, then) = recorder.before, recorder.epochs[1]
    assert first.shape == then.shape
    sides = np.split(np.arange(3 * SIZE), 3)
    differs = [np.any(first[:, side] != then[:, side]) for side in sides]
    assert differs == [False, True, False]


def test_resumed_training_shows_no_start(train_model, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train_model(tmp_path, observers=[Recorder(interrupt_at=2)])
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder])
    assert list(recorder.epochs) == [2, 3]
    assert recorder.before is None


def test_samples_of_the_copied_input_are_the_input(train_model, tmp_path):
    recorder = Recorder()
    train_model(tmp_path, "copy_input", observers=[recorder])
    _, samples = recorder.epochs[0]
    np.testing.assert_array_equal(samples[:, :SIZE], samples[:, SIZE : 2 * SIZE])


class TestPatience:
    FLAT = {
        "training__learning_rate": 1e-12,
        "training__epochs": 9,
        "network__normalization": "none",  # whose statistics move without a step
    }

    def test_training_stops_so_many_epochs_after_the_best(self, train_model, tmp_path):
        trained = train_model(tmp_path, training__patience=2, **self.FLAT)
        assert len(trained.history()) == 3  # the first one is the best of equals
        assert trained.config["best_epoch"] == 1

    def test_early_stop_is_logged_with_the_budget(self, train_model, tmp_path, caplog):
        with caplog.at_level(logging.INFO):
            train_model(tmp_path, training__patience=2, **self.FLAT)
        (message,) = [m for m in caplog.messages if "stopped early" in m]
        assert "after epoch 3 of 9: epoch 1 is the best by psnr" in message

    def test_training_that_gets_better_uses_its_budget(self, train_model, tmp_path):
        trained = train_model(
            tmp_path,
            training__patience=2,
            training__epochs=4,
            training__batch_size=2,
            training__learning_rate=0.002,
        )
        assert len(trained.history()) == 4

    def test_last_epoch_needs_no_patience(self):
        with pytest.raises(ValueError, match="patience needs a validation metric"):
            make_settings(training__patience=2, training__select_by="last")
