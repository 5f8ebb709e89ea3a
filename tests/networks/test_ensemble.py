import torch
from torch import nn

from image_translation.networks import build_network
from image_translation.networks.acceleration import accelerate
from image_translation.networks.ensemble import Ensemble


class Constant(nn.Module):
    """Returns the same value everywhere."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, inputs):
        return torch.full_like(inputs, self.value)


def test_result_is_the_mean_of_the_members():
    ensemble = Ensemble([Constant(-1.0), Constant(0.25), Constant(0.75)])
    assert torch.equal(ensemble(torch.ones(2, 3, 4, 4)), torch.zeros(2, 3, 4, 4))


def test_members_are_accelerated():
    torch.manual_seed(0)
    members = [build_network("unet", 32, 4).eval() for _ in range(2)]
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected = (members[0](images) + members[1](images)) / 2
        fast = accelerate(Ensemble(members))
        assert torch.allclose(fast(images), expected, atol=1e-5)
    kinds = {type(module) for module in fast.modules()}
    assert nn.BatchNorm2d not in kinds and nn.ConvTranspose2d not in kinds
