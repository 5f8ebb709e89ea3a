import numpy as np
import pytest
import torch

from image_translation.networks import PatchGAN, build_network
from image_translation.training import loop
from image_translation.training.batches import Batch, Batches
from image_translation.training.devices import Device
from image_translation.training.fitting import fit
from image_translation.training.loop import train_batch
from image_translation.training.state import TrainingState
from image_translation.training.tensors import to_tensor
from tests.training.conftest import (
    SIZE,
    TRAINED,
    assert_same_training,
    make_pairs,
    make_settings,
    weights,
)

FP32 = Device("cpu", "fp32")


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

    def watch(state, batch, *args):
        seen.append(torch.cat([batch.inputs, batch.targets]))
        return train_batch(state, batch, *args)

    monkeypatch.setattr(loop, "train_batch", watch)
    streams = []
    for model in TRAINED:
        seen.clear()
        train_model(tmp_path / model, model)
        streams.append(torch.cat(seen))
    assert all(torch.equal(stream, streams[0]) for stream in streams)


def test_same_seed_starts_from_the_same_generator_with_and_without_gan():

    first, second = (
        TrainingState.start(make_settings(model), SIZE, 0, "cpu").generator.state_dict()
        for model in ("unet", "pix2pix")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_epoch_sees_every_pair_once(train_pairs):
    training = make_settings(training__jitter=1, training__flip=False).training
    batches = Batches(train_pairs, training, 0, FP32)
    inputs = [batch.inputs for batch in batches.epoch(1)]
    assert [len(batch) for batch in inputs] == [4, 2]
    sums = sorted(torch.cat(inputs).sum(dim=(1, 2, 3)).tolist())
    expected = (train_pairs.inputs / 127.5 - 1).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, sorted(expected), rtol=1e-4)


def test_there_is_no_discriminator_without_an_adversarial_term(train_model, tmp_path):
    cost = train_model(tmp_path / "a", "unet").cost
    assert cost["discriminator_parameters"] == 0
    assert train_model(tmp_path / "b", "pix2pix").cost["discriminator_parameters"] > 0


def test_plain_discriminator_is_the_published_one():

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
def test_every_discriminator_trains_at_two_scales(gan_loss, spectral_norm):

    settings = make_settings(
        "pix2pix",
        objective__gan_loss=gan_loss,
        objective__spectral_norm=spectral_norm,
        objective__scales=2,
        objective__feature_matching=1,
    )
    state = TrainingState.start(settings, 64, 0, "cpu")
    # The hinge does not change the last bias while no logit has reached its margin.
    changing = [p for p in state.discriminator.parameters() if p.dim() > 1]
    before = [p.detach().clone() for p in changing]
    inputs, targets = torch.rand(2, 2, 3, 64, 64) * 2 - 1
    for _ in range(2):
        sums = train_batch(state, Batch(inputs, targets, 2), settings, FP32)
    assert sums.shape == (4,)
    assert sums.isfinite().all()
    assert not any(torch.equal(a, b) for a, b in zip(before, changing, strict=True))


def test_discriminator_is_trained_by_its_own_loss_alone(train_pairs):

    batch = Batch(to_tensor(train_pairs.inputs), to_tensor(train_pairs.targets), 6)
    stepped = []
    for l1 in (100, 1):
        settings = make_settings("pix2pix", objective__l1=l1)
        state = TrainingState.start(settings, SIZE, 0, "cpu")
        train_batch(state, batch, settings, FP32)
        stepped.append(dict(state.discriminator.named_parameters()))
    assert all(torch.equal(stepped[0][name], stepped[1][name]) for name in stepped[0])


@pytest.mark.parametrize("ema", [None, 0.999])
def test_mean_target_is_the_best_constant_image(
    train_model, tmp_path, train_pairs, ema
):
    trained = train_model(tmp_path, "mean_target", training__ema=ema)
    generator = trained.load_generator()
    expected = train_pairs.targets.astype(float).mean(axis=0)
    image = (generator.image[0].permute(1, 2, 0).numpy() + 1) * 127.5
    np.testing.assert_allclose(image, expected, atol=1e-4)


def test_training_on_a_single_pair(tmp_path):
    pairs = make_pairs(1)
    assert fit(make_settings("pix2pix"), pairs, pairs, tmp_path).failure is None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_train(train_model, tmp_path, precision):
    trained = train_model(tmp_path, "pix2pix", training__precision=precision)
    assert trained.cost["precision"] == precision
    tensors = trained.load_generator().state_dict().values()
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float32}


class TestAccumulation:
    def test_gradients_of_a_group_are_those_of_one_batch(self, train_pairs):
        """Without batch statistics and dropout: networks in evaluation mode."""

        inputs, targets = to_tensor(train_pairs.inputs), to_tensor(train_pairs.targets)
        stepped = []
        for parts in ([slice(0, 6)], [slice(0, 4), slice(4, 6)]):
            settings = make_settings("unet")
            state = TrainingState.start(settings, SIZE, 0, "cpu")
            state.generator.eval()
            for part in parts:
                own, is_last = inputs[part], part is parts[-1]
                batch = Batch(own, targets[part], len(own), len(own) / 6, is_last)
                train_batch(state, batch, settings, FP32)
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


def test_moving_average_is_saved(train_model, tmp_path):
    plain = train_model(tmp_path / "plain", training__epochs=1)
    averaged = train_model(tmp_path / "ema", training__epochs=1, training__ema=0.999)
    last = plain.load_generator().state_dict()
    kept = averaged.load_generator().state_dict()
    assert any(not torch.equal(kept[name], last[name]) for name in last)


def test_failing_compile_falls_back(train_model, tmp_path, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    compiled = train_model(tmp_path / "compiled", training__compile=True)
    plain = train_model(tmp_path / "plain")
    assert compiled.failure is None
    assert compiled.config["weights_sha256"] == plain.config["weights_sha256"]
