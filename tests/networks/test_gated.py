import numpy as np
import pytest
import torch
from torch import nn

from image_translation.networks.gated import (
    ChannelNorm,
    DepthwiseConv2d,
    GatedBlock,
    gate,
)


def block(channels=2, seed=0):
    torch.manual_seed(seed)
    made = GatedBlock(channels).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def arrays(module):
    return {n: p.detach().numpy().astype(float) for n, p in module.named_parameters()}


def mix(x, weight, bias):
    """A 1×1 convolution of (C, H, W)."""
    return np.einsum("oi,ihw->ohw", weight[:, :, 0, 0], x) + bias[:, None, None]


def normalize(x, weight, bias):
    centred = x - x.mean(0)
    scaled = centred / np.sqrt(x.var(0) + 1e-5)
    return scaled * weight[:, None, None] + bias[:, None, None]


def halves(x):
    return x[: len(x) // 2] * x[len(x) // 2 :]


def test_block_is_the_published_one():
    """Against figure 3 of the paper, step by step in NumPy."""
    made, x = block(), np.random.default_rng(0).normal(size=(2, 4, 5))
    w = arrays(made)
    y = mix(
        normalize(x, w["norms.0.weight"], w["norms.0.bias"]),
        w["expand.weight"],
        w["expand.bias"],
    )
    padded = np.pad(y, ((0, 0), (1, 1), (1, 1)))
    y = (
        sum(
            w["depthwise.weight"][:, 0, i, j, None, None]
            * padded[:, i : i + 4, j : j + 5]
            for i in range(3)
            for j in range(3)
        )
        + w["depthwise.bias"][:, None, None]
    )
    y = halves(y)
    means = y.mean((1, 2))[:, None, None]
    y = y * mix(means, w["attend.weight"], w["attend.bias"])
    x = x + w["factors"][0] * mix(y, w["project.weight"], w["project.bias"])
    y = normalize(x, w["norms.1.weight"], w["norms.1.bias"])
    y = halves(mix(y, w["mix.0.weight"], w["mix.0.bias"]))
    expected = x + w["factors"][1] * mix(y, w["mix.2.weight"], w["mix.2.bias"])

    given = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    found = made(torch.from_numpy(given)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_new_block_changes_nothing_and_learns():
    made, x = GatedBlock(4), torch.randn(2, 4, 8, 8)
    assert torch.equal(made(x), x)
    made(x).square().mean().backward()
    assert (made.factors.grad != 0).all()


@pytest.mark.parametrize("size", [1, 3])
def test_any_size_keeps_its_shape(size):
    assert block()(torch.zeros(1, 2, size, size)).shape == (1, 2, size, size)


def test_norm_gives_every_pixel_mean_0_and_deviation_1():
    normed = ChannelNorm(16)(5 + 3 * torch.randn(2, 16, 3, 3))
    assert normed.mean(1).abs().max() < 1e-5
    torch.testing.assert_close(normed.std(1, correction=0), torch.ones(2, 3, 3))


def test_gate_multiplies_halves():
    assert gate(torch.tensor([2.0, 3, 5, 7]).view(1, 4, 1, 1)).flatten().tolist() == [
        10,
        21,
    ]


def test_depthwise_convolution_computes_in_float32_on_cpus():
    with torch.autocast("cpu", torch.bfloat16):
        out = DepthwiseConv2d(2, 2, 3, padding=1, groups=2)(
            torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16)
        )
    assert out.dtype == torch.float32
