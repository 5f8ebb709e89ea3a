import numpy as np
import pytest
import torch
from skimage import data
from skimage.transform import resize
from torch import nn
from torch.nn import functional as F

from image_translation.networks import count_parameters
from image_translation.networks.acceleration import accelerate
from image_translation.networks.blocks import Structure
from image_translation.networks.encoder_weights import IMAGENET, read_weights
from image_translation.networks.generators.pretrained_unet import (
    Encoder,
    PretrainedUNet,
)
from tests.networks.contract import GeneratorContract

CATS = range(281, 286)
"""ImageNet's classes tabby, tiger cat, Persian cat, Siamese cat, Egyptian cat."""


class TestPretrainedUNet(GeneratorContract):
    def make(self, image_size):
        return PretrainedUNet(image_size, 4, Structure(dropout=0))


@pytest.fixture(scope="module")
def published():
    return read_weights("lite0", IMAGENET)


@pytest.mark.parametrize("image_size", [0, 16, 48, 2048])
def test_unsuitable_size_is_an_error(image_size):
    with pytest.raises(ValueError, match=f"power of two .* not {image_size}"):
        PretrainedUNet(image_size)


@pytest.mark.parametrize(
    ("name", "channels", "blocks", "millions"),
    [
        ("lite0", [16, 24, 40, 112, 320], 16, 4.65),
        ("lite1", [16, 24, 40, 112, 320], 21, 5.42),
        ("lite2", [16, 24, 48, 120, 352], 21, 6.09),
    ],
)
def test_encoder_has_the_published_size(name, channels, blocks, millions):
    encoder = Encoder(name)
    assert encoder.channels == channels
    assert sum(map(len, encoder)) == 1 + blocks
    maps = encoder.eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 64 >> n, 96 >> n) for n, c in enumerate(channels, 1)
    ]
    # The published numbers include the classifier: 1×1 convolution, norm, 1,000 classes.
    classifier = channels[-1] * 1280 + 2 * 1280 + 1281 * 1000
    total = (count_parameters(encoder) + classifier) / 1e6
    assert total == pytest.approx(millions, abs=0.01)


def test_encoder_with_published_weights_sees_a_cat(published):
    encoder = Encoder("lite0").eval()
    encoder.load(published)
    photo = resize(data.chelsea()[:, 75:375], (224, 224)).astype(np.float32)
    image = torch.from_numpy(photo).permute(2, 0, 1)[None] * 2 - 1
    with torch.no_grad():
        x = F.conv2d(encoder(image)[-1], published["_conv_head.weight"])
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(published[f"_bn1.{n}"] for n in names), eps=1e-3)
        features = F.relu6(x).mean((2, 3))
        logits = features @ published["_fc.weight"].T + published["_fc.bias"]
    likeliest = logits.softmax(1)[0]
    assert likeliest[list(CATS)].sum() > 0.8


def test_foreign_weights_are_an_error(published):
    with pytest.raises(ValueError, match="not those of this encoder"):
        Encoder("lite2").load(published)
    with pytest.raises(ValueError, match="not those of this encoder"):
        Encoder("lite0").load(dict(list(published.items())[:40]))


def test_strided_convolutions_are_padded_like_tensorflows():
    stem = Encoder("lite0")[0][0]
    kernel = torch.zeros(32, 3, 3, 3)
    kernel[:, :, 0, 0] = 1
    stem[1].weight.data.copy_(kernel)
    image = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1)
    padded = stem[1](stem[0](image))
    assert padded[0, 0].tolist() == (3 * image[0, 0, ::2, ::2]).tolist()


def test_depthwise_convolutions_compute_in_float32_on_cpus():
    network = PretrainedUNet(32, 4).train()
    seen = []
    for module in network.encoder.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.zeros(2, 3, 32, 32))
    assert set(seen) == {torch.float32}
    assert len(seen) == 16


def test_accelerated_network_gives_the_same(published):
    network = PretrainedUNet(64, 8, Structure(output="ycbcr"))
    network.pretrained.load(published)
    network.eval()
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(
            accelerate(network)(images), network(images), rtol=1e-3, atol=1e-4
        )
    assert not any(isinstance(m, nn.BatchNorm2d) for m in accelerate(network).modules())


def test_dropout_acts_on_the_last_maps_of_the_encoder():
    network = PretrainedUNet(32, 4, Structure(dropout=0.9)).train()
    seen = []
    network.dropout.register_forward_hook(lambda m, i, o: seen.append((i[0], o)))
    network(torch.rand(2, 3, 32, 32))
    (before, after) = seen[0]
    assert before.shape == (2, 320, 1, 1)
    assert (after == 0).float().mean() > 0.8
