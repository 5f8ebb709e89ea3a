import pytest
import torch
from torch import nn

from image_translation.networks import CopyInput, UNet, count_gmac, count_parameters


class OneTransposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)

    def forward(self, images):
        return self.up(images)


def test_transposed_convolution_is_counted_on_its_input_grid():
    expected = 8 * 8 * 3 * 5 * 4 * 4 / 1e9
    assert count_gmac(OneTransposed(), 8) == pytest.approx(expected)


def test_frozen_parameters_do_not_count():
    network = OneTransposed()
    network.up.bias.requires_grad_(False)
    assert count_parameters(network) == 3 * 5 * 4 * 4


def test_baseline_costs_nothing():
    assert count_gmac(CopyInput(), 64) == 0
    assert count_parameters(CopyInput()) == 0


def test_counting_does_not_change_the_network():
    network = UNet(32, 4).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_gmac(network, 32)
    assert network.training
    assert all(torch.equal(v, before[n]) for n, v in network.state_dict().items())
