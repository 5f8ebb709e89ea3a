import numpy as np
import pytest
import torch
from torch.nn import functional as F

from image_translation.networks import CopyInput, UNet
from image_translation.training.inference import (
    prepare,
    translate,
    translate_prepared,
)
from image_translation.training.settings import InferenceSettings
from image_translation.training.tensors import to_tensor, to_uint8

PLAIN = {"batch_size": 4, "dropout": False, "batch_statistics": False}


def run(generator, inputs, seed=0, **changes):
    settings = InferenceSettings(**{**PLAIN, **changes})
    return np.concatenate(list(translate(generator, inputs, settings, seed)))


@pytest.fixture
def generator():
    """A U-Net that has seen data, left in training mode."""
    torch.manual_seed(0)
    network = UNet(32, 4).train()
    for _ in range(5):
        network(torch.rand(4, 3, 32, 32))
    for parameter in network.parameters():
        parameter.data.mul_(3)  # so that differences are seen in 8 bits
    return network


@pytest.fixture
def inputs():
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def assert_close(a, b):
    """Equal but for the order of additions, which may tip a rounding."""
    assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_default_protocol_is_plain_evaluation(generator, inputs):
    output = run(generator, inputs, batch_size=6)
    with torch.no_grad():
        expected = to_uint8(generator.eval()(to_tensor(inputs)))
    assert_close(output, expected)
    assert (output == expected).mean() > 0.999


def test_default_protocol_gives_the_same_every_time(generator, inputs):
    first = run(generator, inputs, seed=0)
    np.testing.assert_array_equal(first, run(generator, inputs, seed=1))


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("batch_statistics", [False, True])
def test_result_does_not_depend_on_batch_size(
    generator, inputs, dropout, batch_statistics
):
    protocol = {"dropout": dropout, "batch_statistics": batch_statistics}
    assert_close(
        run(generator, inputs, batch_size=1, **protocol),
        run(generator, inputs, batch_size=4, **protocol),
    )


def test_batch_statistics_are_those_of_the_image_itself(generator, inputs, monkeypatch):
    output = run(generator, inputs, batch_statistics=True)
    assert not np.array_equal(output, run(generator, inputs))
    # Instance normalization is batch normalization of a batch of one.
    monkeypatch.setattr(
        torch.nn.BatchNorm2d,
        "forward",
        lambda self, x: F.instance_norm(x, weight=self.weight, bias=self.bias),
    )
    with torch.no_grad():
        expected = to_uint8(generator.eval()(to_tensor(inputs)))
    assert_close(output, expected)


def test_dropout_is_active_and_repeatable(generator, inputs):
    first = run(generator, inputs, dropout=True)
    assert not np.array_equal(first, run(generator, inputs))
    assert not np.array_equal(first, run(generator, inputs, dropout=True, seed=9))
    np.testing.assert_array_equal(first, run(generator, inputs, dropout=True))


def test_generator_and_global_rng_state_are_unchanged(generator, inputs):
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    rng_state = torch.get_rng_state()
    run(generator, inputs, dropout=True, batch_statistics=True)
    assert all(module.training for module in generator.modules())
    assert torch.equal(torch.get_rng_state(), rng_state)
    after = generator.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_batches_are_no_larger_than_asked_for(inputs):
    settings = InferenceSettings(**PLAIN)
    sizes = [len(batch) for batch in translate(CopyInput(), inputs, settings)]
    assert sizes == [4, 2]


def test_copied_input_is_exact(inputs):
    np.testing.assert_array_equal(run(CopyInput(), inputs), inputs)


def test_translation_is_lazy(inputs):
    class Failing(torch.nn.Module):
        def forward(self, images):
            raise AssertionError

    translate(Failing(), inputs, InferenceSettings(**PLAIN))


def test_images_may_be_memory_mapped(tmp_path, inputs):
    np.save(tmp_path / "inputs.npy", inputs)
    mapped = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    np.testing.assert_array_equal(run(CopyInput(), mapped), inputs)


def test_flips_give_the_mean_of_both_translations(generator, inputs):
    output = run(generator, inputs, flips=True)
    with torch.no_grad():
        network, images = generator.eval(), to_tensor(inputs)
        mirrored = network(images.flip(-1)).flip(-1)
        expected = to_uint8((network(images) + mirrored) / 2)
    assert_close(output, expected)
    assert not np.array_equal(output, run(generator, inputs))


def test_with_flips_a_mirrored_image_is_translated_alike(generator, inputs):
    output = run(generator, inputs, flips=True)
    mirrored = run(generator, inputs[:, :, ::-1], flips=True)[:, :, ::-1]
    assert_close(output, mirrored)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("batch_statistics", [False, True])
def test_prepared_network_translates_as_the_generator(
    generator, inputs, dropout, batch_statistics
):
    protocol = {**PLAIN, "dropout": dropout, "batch_statistics": batch_statistics}
    settings = InferenceSettings(**protocol)
    network = prepare(generator, settings)
    for _ in range(2):  # it may be used again
        batches = translate_prepared(network, inputs, settings)
        np.testing.assert_array_equal(
            np.concatenate(list(batches)), run(generator, inputs, **protocol)
        )
