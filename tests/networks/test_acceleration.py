import copy

import pytest
import torch
from torch import nn

from image_translation.networks import build_network
from image_translation.networks.acceleration import (
    SplitTransposed,
    accelerate,
    fold_batch_norms,
)


def spread(network: nn.Module) -> nn.Module:
    """Give a network statistics and outputs as training might."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


@pytest.fixture(params=["unet", "autoencoder"])
def network(request):
    torch.manual_seed(0)
    return spread(build_network(request.param, 64, 4))


def kinds(network: nn.Module) -> set[type]:
    return {type(module) for module in network.modules()}


@pytest.mark.parametrize("rewrite", [fold_batch_norms, accelerate])
@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (5, 3, 64, 64), (1, 3, 64, 128)])
@torch.no_grad()
def test_rewritten_network_computes_the_same(network, rewrite, shape):
    images = torch.rand(shape) * 2 - 1
    expected = network(images)
    assert expected.std() > 0.02
    rewritten = rewrite(network)
    assert nn.BatchNorm2d not in kinds(rewritten)
    torch.testing.assert_close(rewritten(images), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "structure",
    [
        {"upsampling": "shuffle", "output": "ycbcr"},
        {"upsampling": "resize", "output": "lab", "attention": True},
        {"normalization": "instance", "output": "residual", "levels": 3},
        {"normalization": "group"},
        {"normalization": "none", "upsampling": "shuffle"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["unet", "autoencoder"])
@torch.no_grad()
def test_later_structures_compute_the_same(name, structure):
    torch.manual_seed(0)
    network = spread(build_network(name, 64, 4, **structure))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    expected = network(images)
    torch.testing.assert_close(accelerate(network)(images), expected, atol=1e-4, rtol=0)


def test_original_network_is_unchanged(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layouts = {name: value.stride() for name, value in network.state_dict().items()}
    accelerate(network)
    assert nn.BatchNorm2d in kinds(network) and SplitTransposed not in kinds(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) and value.stride() == layouts[name]
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_batch_norm_without_running_statistics_is_kept(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = module.running_var = None
    rewritten = accelerate(network)
    assert nn.BatchNorm2d in kinds(rewritten)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            rewritten(images), network(images), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)],  # something between
        [nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)],  # before it
        [nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True)],
        [nn.ConvTranspose2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Tanh()],
        [nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=2), nn.BatchNorm2d(4)],
        [
            nn.Upsample(scale_factor=2),
            nn.Conv2d(3, 4, 3, bias=False),
            nn.BatchNorm2d(4),
        ],
    ],
)
@torch.no_grad()
def test_other_layers_compute_the_same(layers):
    torch.manual_seed(0)
    network = spread(nn.Sequential(*copy.deepcopy(layers)))
    grouped = isinstance(layers[0], nn.ConvTranspose2d) and layers[0].groups > 1
    images = torch.rand(2, 4 if grouped else 3, 8, 8)
    torch.testing.assert_close(
        accelerate(network)(images), network(images), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8)])
def test_split_transposed_convolution_is_the_transposed_convolution(size):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(5, 3, 4, stride=2, padding=1)
    images = torch.randn(2, 5, *size)
    with torch.no_grad():
        torch.testing.assert_close(
            SplitTransposed(layer)(images), layer(images), atol=1e-5, rtol=0
        )
