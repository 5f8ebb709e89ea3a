import pytest
import torch
from torch import nn

from image_translation.networks import Autoencoder
from image_translation.networks.blocks import Structure
from tests.networks.contract import TrainableGeneratorContract


class TestAutoencoder(TrainableGeneratorContract):
    def make(self, image_size):
        return Autoencoder(image_size, base_channels=4)


def test_bottleneck_at_256_is_512_by_8_by_8():
    code = Autoencoder().encoder(torch.zeros(1, 3, 256, 256))
    assert code.shape == (1, 512, 8, 8)


@pytest.mark.parametrize("base_channels", [4, 64])
@pytest.mark.parametrize(
    ("image_size", "channels", "side"),
    [(32, 8, 8), (64, 32, 8), (128, 128, 8), (256, 512, 8), (512, 512, 16)],
)
def test_bottleneck_has_a_sixth_of_the_values_at_every_size_and_width(
    image_size, channels, side, base_channels
):
    network = Autoencoder(image_size, base_channels).eval()
    with torch.no_grad():
        code = network.encoder(torch.zeros(1, 3, image_size, image_size))
    assert code.shape == (1, channels, side, side)
    assert code.numel() * 6 == 3 * image_size**2


@pytest.mark.parametrize("levels", [2, 3, 4, 5])
def test_fewer_levels_do_not_enlarge_the_bottleneck(levels):
    network = Autoencoder(64, 8, Structure(levels=levels)).eval()
    with torch.no_grad():
        code = network.encoder(torch.zeros(1, 3, 64, 64))
    assert code.numel() * 6 == 3 * 64**2


def test_output_depends_on_the_bottleneck_alone():
    network = Autoencoder(64, base_channels=4).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(images), network.decoder(network.encoder(images)))


def test_decoder_mirrors_encoder():
    network = Autoencoder()
    down = [(block[0].in_channels, block[0].out_channels) for block in network.encoder]
    up = [(block[0].out_channels, block[0].in_channels) for block in network.decoder]
    assert up == down[::-1]


def test_there_is_no_dropout():
    assert not any(isinstance(module, nn.Dropout) for module in Autoencoder().modules())
