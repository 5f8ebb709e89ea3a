import pytest
import torch
from torch import nn

from image_translation.networks import UNet, count_gmac, count_parameters
from tests.networks.contract import TrainableGeneratorContract


def convolutions(blocks):
    return [block[0] for block in blocks]


class TestUNet(TrainableGeneratorContract):
    def make(self, image_size):
        return UNet(image_size, base_channels=4)


@pytest.fixture(scope="module")
def full():
    return UNet()


def test_full_width_has_54_41_million_parameters(full):
    assert count_parameters(full) / 1e6 == pytest.approx(54.41, abs=0.005)


def test_full_width_takes_6_05_gmac(full):
    assert count_gmac(full, 256) == pytest.approx(6.05, abs=0.005)


def test_encoder_has_the_published_widths(full):
    widths = [conv.out_channels for conv in convolutions(full.encoder)]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512]


def test_decoder_takes_skips_and_has_the_published_widths(full):
    ups = convolutions(full.decoder)
    assert [up.in_channels for up in ups] == [512, 1024, 1024, 1024, 1024, 512, 256]
    assert [up.out_channels for up in ups] == [512, 512, 512, 512, 256, 128, 64]
    assert full.head[0].in_channels == 128


@pytest.mark.parametrize(
    ("image_size", "widths"),
    [(32, [4, 8, 16, 32, 32]), (64, [4, 8, 16, 32, 32, 32])],
)
def test_smaller_size_drops_innermost_levels(image_size, widths):
    network = UNet(image_size, base_channels=4)
    assert [conv.out_channels for conv in convolutions(network.encoder)] == widths


@pytest.mark.parametrize("image_size", [64, 256])
def test_norm_is_missing_in_first_block_and_on_the_bottleneck(image_size):
    network = UNet(image_size, base_channels=4)
    has_norm = [
        any(isinstance(module, nn.BatchNorm2d) for module in block)
        for block in network.encoder
    ]
    assert has_norm == [False, *[True] * (len(has_norm) - 2), False]


@pytest.mark.parametrize("image_size", [64, 256])
def test_dropout_is_in_the_first_three_blocks_up(image_size):
    network = UNet(image_size, base_channels=4)
    rates = [
        [module.p for module in block if isinstance(module, nn.Dropout)]
        for block in network.decoder
    ]
    assert rates == [*[[0.5]] * 3, *[[]] * (len(rates) - 3)]


def test_skip_carries_detail_past_the_bottleneck():
    network = UNet(32, base_channels=4).eval()
    torch.nn.init.zeros_(network.decoder[0][0].weight)  # nothing from the bottleneck
    a, b = torch.rand(2, 1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.equal(network(a), network(b))
