import copy
import json
import logging
import os
import signal
from dataclasses import replace
from typing import ClassVar
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

from image_translation.errors import InputError
from image_translation.fingerprint import Stamp
from image_translation.metrics import mse
from image_translation.models import count_parameters
from image_translation.training import loop
from image_translation.training.averaging import recompute_statistics
from image_translation.training.batches import Batches
from image_translation.training.devices import Device, pick_device
from image_translation.training.inference import translate
from image_translation.training.interruption import TrainingStoppedError
from image_translation.training.loop import CHECKPOINT, PREVIOUS, fit
from image_translation.training.losses import loss_labels
from image_translation.training.step import train_batch
from image_translation.training.trained import COLUMNS
from image_translation.training.warm_start import START
from tests.training.conftest import MODELS, SIZE, make_pairs, make_settings

TRAINED = ["pix2pix", "unet", "autoencoder", "autoencoder_gan"]
BASELINES = ["copy_input", "mean_target"]
TIMES = ["seconds", "images_per_second"]


class Recorder:
    """Remembers what it is told."""

    def __init__(self, interrupt_at=None):
        self.interrupt_at = interrupt_at
        self.starts, self.epochs, self.ends = [], {}, []
        self.before = None

    def on_start(self, replicate, folder, settings, cost):
        has_history = (folder / "history.csv").exists()
        self.starts.append((replicate, has_history, dict(cost)))

    def on_epoch(self, epoch, metrics, samples):
        if not metrics:
            self.before = samples
            return
        self.epochs[epoch] = (dict(metrics), samples)
        if epoch == self.interrupt_at:
            raise KeyboardInterrupt

    def on_end(self, trained):
        self.ends.append(trained)


@pytest.fixture
def train_model(train_pairs, validation_pairs):
    """Train by the name of a model, with changes by dotted name."""

    def train_model(folder, model="unet", *, observers=(), replicate=0, **changes):
        return fit(
            make_settings(model, **changes),
            train_pairs,
            validation_pairs,
            folder,
            replicate=replicate,
            name=model,
            observers=observers,
        )

    return train_model


def weights(trained):
    return (trained.folder / "weights.safetensors").read_bytes()


def assert_same_training(a, b):
    assert weights(a) == weights(b)
    pd.testing.assert_frame_equal(
        a.history().drop(columns=TIMES), b.history().drop(columns=TIMES)
    )
    assert a.fingerprint == b.fingerprint


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


@pytest.mark.parametrize("model", TRAINED)
def test_training_learns(train_model, tmp_path, model):
    history = train_model(
        tmp_path,
        model,
        training__epochs=12,
        training__batch_size=2,
        network__base_channels=8,
    ).history()
    assert history["train/l1"].iloc[-1] < 0.8 * history["train/l1"].iloc[0]


@pytest.mark.parametrize("model", TRAINED)
def test_same_seed_gives_the_same_bytes(train_model, tmp_path, model):
    assert_same_training(
        train_model(tmp_path / "a", model), train_model(tmp_path / "b", model)
    )


def test_seed_and_replicate_count_alike(train_model, tmp_path):
    first = train_model(tmp_path / "a", training__seed=3)
    second = train_model(tmp_path / "b", training__seed=1, replicate=2)
    assert weights(first) == weights(second)
    assert weights(first) != weights(train_model(tmp_path / "c", training__seed=1))
    assert second.config["seed"] == 3


def test_all_models_see_the_same_data_in_the_same_order(
    train_model, tmp_path, monkeypatch
):
    seen = []
    train_batch = loop.train_batch

    def watch(state, inputs, targets, *args, **kwargs):
        seen.append(torch.cat([inputs, targets]))
        return train_batch(state, inputs, targets, *args, **kwargs)

    monkeypatch.setattr(loop, "train_batch", watch)
    streams = []
    for model in TRAINED:
        seen.clear()
        train_model(tmp_path / model, model)
        streams.append(torch.cat(seen))
    assert all(torch.equal(stream, streams[0]) for stream in streams)


def test_same_seed_starts_from_the_same_generator_with_and_without_gan():
    from image_translation.training.state import TrainingState

    first, second = (
        TrainingState.start(make_settings(model), SIZE, 0, "cpu").generator.state_dict()
        for model in ("unet", "pix2pix")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_epoch_sees_every_pair_once(train_pairs):
    training = make_settings(training__jitter=1, training__flip=False).training
    batches = Batches(train_pairs, training, 0, Device("cpu", "fp32"))
    inputs = [batch for batch, _, _ in batches.epoch(1)]
    assert [len(batch) for batch in inputs] == [4, 2]
    sums = sorted(torch.cat(inputs).sum(dim=(1, 2, 3)).tolist())
    expected = (train_pairs.inputs / 127.5 - 1).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, sorted(expected), rtol=1e-4)


def test_there_is_no_discriminator_without_an_adversarial_term(train_model, tmp_path):
    cost = train_model(tmp_path / "a", "unet").cost
    assert cost["discriminator_parameters"] == 0
    assert train_model(tmp_path / "b", "pix2pix").cost["discriminator_parameters"] > 0


def test_plain_discriminator_is_the_published_one():
    from image_translation.models import PatchGAN, build_network
    from image_translation.training.state import TrainingState

    settings = make_settings("pix2pix")
    state = TrainingState.start(settings, SIZE, 0, "cpu")
    torch.manual_seed(0)
    expected = (build_network("unet", SIZE, 2), PatchGAN(2, SIZE))
    for network, published in zip(
        (state.generator, state.discriminator), expected, strict=True
    ):
        weights = network.state_dict()
        assert list(weights) == list(published.state_dict())
        assert all(
            torch.equal(weights[name], value)
            for name, value in published.state_dict().items()
        )


@pytest.mark.parametrize("gan_loss", ["cross_entropy", "hinge", "least_squares"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_every_judge_trains_at_two_scales(gan_loss, spectral_norm):
    from image_translation.training.state import TrainingState

    settings = make_settings(
        "pix2pix",
        objective__gan_loss=gan_loss,
        objective__spectral_norm=spectral_norm,
        objective__scales=2,
        objective__feature_matching=1,
    )
    state = TrainingState.start(settings, 64, 0, "cpu")
    # The last bias stands still by the hinge while no logit has reached its margin.
    changing = [p for p in state.discriminator.parameters() if p.dim() > 1]
    before = [p.detach().clone() for p in changing]
    inputs, targets = torch.rand(2, 2, 3, 64, 64) * 2 - 1
    for _ in range(2):
        sums = train_batch(state, inputs, targets, settings, Device("cpu", "fp32"))
    assert sums.shape == (4,)
    assert sums.isfinite().all()
    assert not any(torch.equal(a, b) for a, b in zip(before, changing, strict=True))


def test_too_many_levels_for_the_size_are_an_error(train_model, tmp_path):
    with pytest.raises(InputError, match="network.levels: .*most 5 .* 32 pixels"):
        train_model(tmp_path, "pix2pix", network__levels=6)


def test_discriminator_is_trained_by_its_own_loss_alone(train_pairs):
    from image_translation.training.state import TrainingState
    from image_translation.training.tensors import to_tensor

    device = Device("cpu", "fp32")
    inputs, targets = to_tensor(train_pairs.inputs), to_tensor(train_pairs.targets)
    stepped = []
    for l1 in (100, 1):
        settings = make_settings("pix2pix", objective__l1=l1)
        state = TrainingState.start(settings, SIZE, 0, "cpu")
        train_batch(state, inputs, targets, settings, device)
        stepped.append(dict(state.discriminator.named_parameters()))
    assert all(torch.equal(stepped[0][name], stepped[1][name]) for name in stepped[0])


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


def test_last_epoch_is_kept_also_where_it_is_not_the_best(
    tmp_path, train_pairs, validation_pairs
):
    # Validation wants the opposite of what is learnt, so that it gets worse.
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


@pytest.mark.parametrize("ema", [None, 0.999])
def test_mean_target_is_the_best_constant_image(
    train_model, tmp_path, train_pairs, ema
):
    trained = train_model(tmp_path, "mean_target", training__ema=ema)
    generator = trained.load_generator()
    expected = train_pairs.targets.astype(float).mean(axis=0)
    image = (generator.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    np.testing.assert_allclose(image, expected, atol=1e-4)


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
    ],
)
def test_what_does_not_matter_does_not_train_again(train_model, tmp_path, changes):
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
def test_what_matters_trains_again(train_model, tmp_path, changes):
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


@pytest.mark.parametrize(
    ("model", "epoch"),
    [
        ("pix2pix", 1),
        ("pix2pix", 3),
        ("unet", 2),
        ("autoencoder", 3),
        ("autoencoder_gan", 2),
        ("structured", 2),
    ],
)
def test_interrupted_training_ends_as_if_it_was_not(
    train_model, tmp_path, model, epoch
):
    whole = train_model(tmp_path / "whole", model, training__epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train_model(
            tmp_path / "cut",
            model,
            observers=[Recorder(interrupt_at=epoch)],
            training__epochs=3,
        )
    assert Stamp(tmp_path / "cut").read() is None
    recorder = Recorder()
    cut = train_model(tmp_path / "cut", model, observers=[recorder], training__epochs=3)
    assert_same_training(whole, cut)
    assert list(recorder.epochs) == list(range(epoch, 4))  # no gap in the curves
    assert recorder.starts[0][1] == (epoch > 1)
    assert not (tmp_path / "cut" / CHECKPOINT).exists()


def cut_at_batch(monkeypatch, number, signal_number=None):
    """Have Ctrl-C pressed, or a signal sent, while a batch is trained."""
    train_batch, calls = loop.train_batch, []

    def interrupt(*args, **kwargs):
        calls.append(1)
        if len(calls) == number:
            if signal_number is None:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal_number)
        return train_batch(*args, **kwargs)

    monkeypatch.setattr(loop, "train_batch", interrupt)


def test_cut_within_an_epoch_keeps_the_epochs_before(
    train_model, tmp_path, monkeypatch
):
    whole = train_model(tmp_path / "whole")
    with monkeypatch.context() as context:
        cut_at_batch(context, 4)  # two batches an epoch
        with pytest.raises(KeyboardInterrupt):
            train_model(tmp_path / "cut")
    recorder = Recorder()
    assert_same_training(whole, train_model(tmp_path / "cut", observers=[recorder]))
    assert list(recorder.epochs) == [2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("model", TRAINED)
def test_signal_saves_and_leaves_and_nothing_is_lost(
    train_model, tmp_path, monkeypatch, number, model
):
    changes = {"training__batch_size": 2, "training__ema": 0.9}
    whole = train_model(tmp_path / "whole", model, **changes)
    with monkeypatch.context() as context:
        cut_at_batch(context, 5, number)  # the second of three batches of epoch 2
        with pytest.raises(TrainingStoppedError, match="epoch 2 of 3") as stopped:
            train_model(tmp_path / "cut", model, **changes)
    assert stopped.value.exit_code == 128 + number
    again = []
    train_batch = loop.train_batch
    monkeypatch.setattr(
        loop, "train_batch", lambda *a, **k: (again.append(1), train_batch(*a, **k))[1]
    )
    assert_same_training(whole, train_model(tmp_path / "cut", model, **changes))
    assert len(again) == 9 - 5


def test_checkpoint_is_kept_when_it_is_time(train_model, tmp_path, monkeypatch):
    kept = []
    save = loop.save_checkpoint
    monkeypatch.setattr(
        loop, "save_checkpoint", lambda *args: (kept.append(1), save(*args))
    )
    train_model(tmp_path / "often", training__checkpoint_minutes=1e-9)
    assert len(kept) == 3 * 2 + 3  # every batch, and every epoch
    kept.clear()
    train_model(tmp_path / "seldom")
    assert len(kept) == 3


def test_full_disk_costs_the_checkpoint_and_not_the_training(
    train_model, tmp_path, monkeypatch, caplog
):
    whole = train_model(tmp_path / "whole")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop, "save_checkpoint", fail)
    assert_same_training(whole, train_model(tmp_path / "full"))
    assert "No space left" in caplog.text
    assert "the last good one stays" in caplog.text


@pytest.mark.parametrize("function", ["_save_weights", "_save_history"])
def test_disk_that_is_full_at_an_epochs_end_is_told_and_costs_only_that_epoch(
    train_model, tmp_path, monkeypatch, function
):
    whole = train_model(tmp_path / "whole")
    save = getattr(loop, function)
    calls = []

    def fail_the_second_time(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        save(*arguments)

    with monkeypatch.context() as context:
        context.setattr(loop, function, fail_the_second_time)
        with pytest.raises(InputError, match=r"could not be kept in .*No space left"):
            train_model(tmp_path / "full")
    assert_same_training(whole, train_model(tmp_path / "full"))


def test_stop_that_keeps_nothing_does_not_promise_to_go_on(
    train_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "save_checkpoint", mock.Mock(side_effect=OSError(28, "")))
    cut_at_batch(monkeypatch, 3, signal.SIGTERM)
    with pytest.raises(TrainingStoppedError, match="nothing since is kept"):
        train_model(tmp_path)


def test_stop_of_a_forced_training_says_how_it_goes_on(
    train_model, tmp_path, monkeypatch
):
    cut_at_batch(monkeypatch, 3, signal.SIGTERM)
    with pytest.raises(TrainingStoppedError, match=r"without training\.force$"):
        train_model(tmp_path, training__force=True)


def test_signal_after_the_last_step_stops_what_comes_after(
    train_model, tmp_path, monkeypatch
):
    whole = train_model(tmp_path / "whole", training__epochs=1)
    score = loop._score

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return score(*arguments)

    recorder = Recorder()
    with monkeypatch.context() as context:
        context.setattr(loop, "_score", interrupt)
        with pytest.raises(TrainingStoppedError, match="was finished") as stopped:
            train_model(tmp_path / "cut", observers=[recorder], training__epochs=1)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert len(recorder.ends) == 1
    recorder = Recorder()
    cut = train_model(tmp_path / "cut", observers=[recorder], training__epochs=1)
    assert_same_training(whole, cut)
    assert not recorder.epochs


def interrupt_training(train_model, folder, **changes):
    with pytest.raises(KeyboardInterrupt):
        train_model(folder, observers=[Recorder(interrupt_at=2)], **changes)


def test_checkpoint_of_other_settings_is_not_used(train_model, tmp_path):
    interrupt_training(train_model, tmp_path, training__seed=1)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder])
    assert list(recorder.epochs) == [1, 2, 3]


def test_broken_checkpoint_falls_back_to_the_one_before(train_model, tmp_path, caplog):
    whole = train_model(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_model(tmp_path / "cut", observers=[Recorder(interrupt_at=3)])
    path = tmp_path / "cut" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    recorder = Recorder()
    assert_same_training(whole, train_model(tmp_path / "cut", observers=[recorder]))
    assert list(recorder.epochs) == [2, 3]
    assert "checkpoint.pt is broken" in caplog.text


def test_without_any_good_checkpoint_it_starts_from_scratch(train_model, tmp_path):
    interrupt_training(train_model, tmp_path)
    for file in (CHECKPOINT, PREVIOUS):
        (tmp_path / file).write_bytes(b"broken")
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder])
    assert list(recorder.epochs) == [1, 2, 3]


def test_force_does_not_go_on_from_a_checkpoint(train_model, tmp_path):
    interrupt_training(train_model, tmp_path)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder], training__force=True)
    assert list(recorder.epochs) == [1, 2, 3]


def diverge_in(monkeypatch, epoch, loss=float("nan"), batches=2):
    train_batch, calls = loop.train_batch, []

    def diverge(*args, **kwargs):
        calls.append(1)
        losses = train_batch(*args, **kwargs)
        is_due = len(calls) > batches * (epoch - 1)
        return torch.full_like(losses, loss) if is_due else losses

    monkeypatch.setattr(loop, "train_batch", diverge)


def test_loss_that_explodes_ends_training(train_model, tmp_path, monkeypatch):
    diverge_in(monkeypatch, epoch=2, loss=1e9)
    trained = train_model(tmp_path)
    assert "diverged in epoch 2" in trained.failure
    assert trained.best_epoch == 1


def test_loss_that_is_not_finite_ends_training_with_the_best_before(
    train_model, tmp_path, monkeypatch
):
    diverge_in(monkeypatch, epoch=3)
    recorder = Recorder()
    trained = train_model(tmp_path, observers=[recorder])
    assert "diverged in epoch 3: train/l1 is nan" in trained.failure
    assert "training.learning_rate" in trained.failure
    assert list(recorder.epochs) == [1, 2]
    assert recorder.ends == [trained]
    assert trained.best_epoch in (1, 2)
    trained.load_generator()


def test_training_that_diverges_at_once_has_no_weights(
    train_model, tmp_path, monkeypatch
):
    diverge_in(monkeypatch, epoch=1)
    trained = train_model(tmp_path)
    assert trained.best_epoch is None
    assert trained.failure
    assert trained.history().empty
    with pytest.raises(InputError, match="weights.safetensors"):
        trained.load_generator()


def test_last_step_that_goes_wrong_is_found(train_model, tmp_path):
    trained = train_model(
        tmp_path, training__learning_rate=1e38, training__batch_size=8
    )
    assert "not finite" in trained.failure or "nan" in trained.failure


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


def test_observer_is_told_metrics_and_fixed_samples(
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


def test_observer_sees_what_the_network_does_before_its_first_step(
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


def test_training_that_goes_on_shows_no_start(train_model, tmp_path):
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


def test_single_pair_can_be_trained_on(tmp_path):
    pairs = make_pairs(1)
    assert fit(make_settings("pix2pix"), pairs, pairs, tmp_path).failure is None


@pytest.mark.parametrize("side", ["train", "validation"])
def test_side_without_pairs_is_an_error(tmp_path, train_pairs, side):
    pairs = {"train": train_pairs, "validation": train_pairs, side: make_pairs(0)}
    with pytest.raises(InputError, match=f"{side} side .* splitting.fractions"):
        fit(make_settings(), **pairs, folder=tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_train(train_model, tmp_path, precision):
    trained = train_model(tmp_path, "pix2pix", training__precision=precision)
    assert trained.cost["precision"] == precision
    tensors = trained.load_generator().state_dict().values()
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float32}


class TestAccumulation:
    def test_gradients_of_a_group_are_those_of_one_batch(self, train_pairs):
        """Without batch statistics and chance: networks in evaluation mode."""
        from image_translation.training.state import TrainingState
        from image_translation.training.tensors import to_tensor

        inputs, targets = to_tensor(train_pairs.inputs), to_tensor(train_pairs.targets)
        device, stepped = Device("cpu", "fp32"), []
        for parts in ([slice(0, 6)], [slice(0, 4), slice(4, 6)]):
            settings = make_settings("unet")
            state = TrainingState.start(settings, SIZE, 0, "cpu")
            state.generator.eval()
            for part in parts:
                own = inputs[part]
                train_batch(
                    state,
                    own,
                    targets[part],
                    settings,
                    device,
                    share=len(own) / 6,
                    is_last=part is parts[-1],
                )
            stepped.append(list(state.generator.parameters()))
        for one, other in zip(*stepped, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)

    def test_steps_are_fewer(self, train_model, tmp_path, monkeypatch):
        steps = []
        step = torch.optim.Adam.step
        monkeypatch.setattr(
            torch.optim.Adam, "step", lambda *a, **k: (steps.append(1), step(*a, **k))
        )
        train_model(tmp_path, training__batch_size=2, training__accumulate=2)
        assert len(steps) == 3 * 2  # three batches an epoch: a group of two, one of one


def test_moving_average_is_what_is_kept(train_model, tmp_path):
    plain = train_model(tmp_path / "plain", training__epochs=1)
    averaged = train_model(tmp_path / "ema", training__epochs=1, training__ema=0.999)
    last = plain.load_generator().state_dict()
    kept = averaged.load_generator().state_dict()
    assert any(not torch.equal(kept[name], last[name]) for name in last)


class TestWarmStart:
    def test_first_step_starts_from_the_weights(self, train_model, tmp_path):
        first = train_model(tmp_path / "first", training__epochs=6)
        again = train_model(
            tmp_path / "again",
            training__epochs=1,
            training__learning_rate=1e-9,
            training__warm_start=str(first.folder),
        )
        weights_before = first.load_generator().state_dict()
        weights_after = again.load_generator().state_dict()
        for name, value in first.load_generator().named_parameters():
            torch.testing.assert_close(value, weights_after[name], atol=1e-6, rtol=0)
        assert weights_before.keys() == weights_after.keys()

    def test_missing_weights_are_named(self, train_model, tmp_path):
        with pytest.raises(InputError, match=r"training\.warm_start.*nowhere"):
            train_model(tmp_path, training__warm_start=str(tmp_path / "nowhere"))

    def test_weights_of_another_network_are_refused(self, train_model, tmp_path):
        first = train_model(tmp_path / "first", "autoencoder", training__epochs=1)
        with pytest.raises(InputError, match="does not fit this network"):
            train_model(
                tmp_path / "again", "unet", training__warm_start=str(first.folder)
            )

    def test_what_does_not_fit_costs_no_weights(self, train_model, tmp_path):
        other = train_model(tmp_path / "other", "autoencoder", training__epochs=1)
        folder = tmp_path / "own"
        before = train_model(folder, "unet", training__epochs=1)
        with pytest.raises(InputError, match="does not fit this network"):
            train_model(folder, "unet", training__warm_start=str(other.folder))
        again = train_model(folder, "unet", training__epochs=1)
        assert again.config["weights_sha256"] == before.config["weights_sha256"]
        before.load_generator()

    def test_weights_that_it_would_replace_are_refused_and_stay(
        self, train_model, tmp_path
    ):
        first = train_model(tmp_path, training__epochs=1)
        with pytest.raises(InputError, match="pass previous to start from it"):
            train_model(tmp_path, training__warm_start=str(first.folder))
        first.load_generator()


class TestWarmStartFromTheTrainingBefore:
    CHANGES: ClassVar = {"training__warm_start": "previous", "training__epochs": 1}

    def test_starts_from_the_weights_it_replaces(self, train_model, tmp_path):
        folder = tmp_path / "replicate-0"
        first = train_model(folder, training__epochs=6).load_generator()
        rate = {"training__learning_rate": 1e-9}
        again = train_model(folder, **self.CHANGES, **rate).load_generator()
        for one, other in zip(first.parameters(), again.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
        assert not (folder / START).exists()

    def test_is_up_to_date_afterwards(self, train_model, tmp_path):
        train_model(tmp_path, **self.CHANGES)
        again = train_model(tmp_path, **self.CHANGES)
        steps = []
        with mock.patch.object(loop, "train_batch", steps.append):
            assert train_model(tmp_path, **self.CHANGES).config == again.config
        assert not steps

    def test_without_one_starts_as_usual(self, train_model, tmp_path):
        usual = train_model(tmp_path / "usual", training__epochs=1)
        warm = train_model(tmp_path / "warm", **self.CHANGES)
        assert warm.config["weights_sha256"] == usual.config["weights_sha256"]

    def test_network_that_has_changed_starts_anew(self, train_model, tmp_path, caplog):
        train_model(tmp_path / "a", "autoencoder", training__epochs=1)
        warm = train_model(tmp_path / "a", "unet", **self.CHANGES)
        assert "Starting anew" in caplog.text
        usual = train_model(tmp_path / "b", "unet", training__epochs=1)
        assert warm.config["weights_sha256"] == usual.config["weights_sha256"]

    def test_training_that_diverges_at_once_leaves_the_weights_to_start_from(
        self, train_model, tmp_path, monkeypatch
    ):
        for name in ("whole", "cut"):
            train_model(tmp_path / name, training__epochs=2, training__seed=5)
        slower = self.CHANGES | {"training__learning_rate": 1e-4}
        whole = train_model(tmp_path / "whole", **slower)
        with monkeypatch.context() as context:
            diverge_in(context, epoch=1)
            assert train_model(tmp_path / "cut", **self.CHANGES).failure
        cut = train_model(tmp_path / "cut", **slower)
        assert cut.config["weights_sha256"] == whole.config["weights_sha256"]
        assert not (tmp_path / "cut" / START).exists()

    def test_cut_off_anywhere_ends_with_the_same_weights(
        self, train_model, tmp_path, monkeypatch
    ):
        for name in ("whole", "cut"):
            train_model(tmp_path / name, training__epochs=2, training__seed=5)
        changes = self.CHANGES | {"training__epochs": 2}
        whole = train_model(tmp_path / "whole", **changes)
        for function in ("train_batch", "_score", "_save_history"):
            with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                patched.setattr(
                    loop, function, mock.Mock(side_effect=KeyboardInterrupt)
                )
                train_model(tmp_path / "cut", **changes)
            assert (tmp_path / "cut" / START).is_file()
        cut = train_model(tmp_path / "cut", **changes)
        assert cut.config["weights_sha256"] == whole.config["weights_sha256"]


def test_compile_that_fails_goes_on_without(train_model, tmp_path, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    compiled = train_model(tmp_path / "compiled", training__compile=True)
    plain = train_model(tmp_path / "plain")
    assert compiled.failure is None
    assert compiled.config["weights_sha256"] == plain.config["weights_sha256"]
