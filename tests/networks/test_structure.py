import dataclasses
import math

import pytest
import torch
from torch import nn

from image_translation.networks import (
    Autoencoder,
    Structure,
    UNet,
    build_network,
    count_gmac,
    count_parameters,
)
from image_translation.networks.attention import SelfAttention
from image_translation.networks.blocks import (
    NORMALIZATIONS,
    UPSAMPLING,
    SubPixelConv2d,
    up_block,
)
from image_translation.networks.gated import GatedBlock
from image_translation.networks.generators.pretrained_unet import PretrainedUNet
from image_translation.networks.outputs import OUTPUTS

NETWORKS = [UNet, Autoencoder]
OPTIONS = [
    *({"output": name} for name in OUTPUTS),
    *({"upsampling": name} for name in UPSAMPLING),
    *({"normalization": name} for name in NORMALIZATIONS),
    {"attention": True},
    {"blocks": 2},
    {"dropout": 0.0},
    {"levels": 2},
    {"levels": 5},
    {
        "output": "ycbcr",
        "upsampling": "shuffle",
        "normalization": "group",
        "attention": True,
        "dropout": 0.1,
        "levels": 4,
    },
]


def each(options):
    return ",".join(f"{name}={value}" for name, value in options.items())


def build(network, seed=0, **options):
    torch.manual_seed(seed)
    return network(32, 4, Structure(**options))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("options", OPTIONS, ids=each)
def test_every_structure_trains_and_counts(network, options):
    generator = build(network, **options).train()
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    output = generator(images)
    output = getattr(
        output, "images", output
    )  # colour classes return their logits, too
    assert output.shape == images.shape
    assert output.abs().max() <= 1
    output.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in generator.parameters())
    assert count_gmac(generator, 32) > 0


@pytest.mark.parametrize("network", NETWORKS)
def test_no_option_is_the_published_network(network):
    torch.manual_seed(0)
    plain = network(32, 4).state_dict()
    written = build(network, **dataclasses.asdict(Structure())).state_dict()
    assert list(plain) == list(written)
    assert all(torch.equal(plain[name], written[name]) for name in plain)


def test_every_option_of_the_structure_is_a_parameter_with_the_same_default():
    from image_translation.training.settings import NetworkSettings

    settings = NetworkSettings(name="unet", base_channels=4).model_dump()
    del settings["name"], settings["base_channels"]
    assert settings == dataclasses.asdict(Structure())


@pytest.mark.parametrize("option", ["output", "upsampling", "normalization"])
def test_unknown_choice_is_an_error_that_lists_the_known(option):
    with pytest.raises(ValueError, match=f"{option} must be one of .*, not 'magic'"):
        build_network("unet", 32, 4, **{option: "magic"})


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("levels", [1, 6])
def test_levels_that_do_not_suit_the_size_are_an_error(network, levels):
    with pytest.raises(
        ValueError, match=rf"levels .* 2 to 5 .* 32 pixels, not {levels}"
    ):
        build(network, levels=levels)


def test_levels_are_the_number_of_halvings():
    network = build(UNet, levels=3)
    code = nn.Sequential(*network.encoder)(torch.zeros(1, 3, 32, 32))
    assert code.shape[-2:] == (4, 4)
    assert len(network.decoder) == 2


@pytest.mark.parametrize("network", NETWORKS)
def test_bottleneck_has_a_norm_unless_it_is_one_pixel(network):
    def has_norm(block):
        return any(isinstance(module, nn.BatchNorm2d) for module in block)

    assert has_norm(build(network, levels=4).encoder[-1])
    assert not has_norm(build(network, levels=5).encoder[-1])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_convolution_has_a_bias_only_without_a_norm(network, name):
    norms = nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm
    for upsampling in UPSAMPLING:
        generator = build(network, normalization=name, upsampling=upsampling)
        for block in generator.modules():
            if not isinstance(block, nn.Sequential):
                continue
            for module, following in zip(block[:-1], block[1:], strict=True):
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    assert (module.bias is None) == isinstance(following, norms)


def test_groups_have_about_sixteen_channels():
    groups = {n: NORMALIZATIONS["group"](n)[0].num_groups for n in (2, 32, 64, 256)}
    assert groups == {2: 1, 32: 2, 64: 4, 256: 16}
    for channels in (6, 100, 216):  # also widths other than powers of two
        NORMALIZATIONS["group"](channels)[0](torch.zeros(1, channels, 2, 2))


@pytest.mark.parametrize("name", ["resize", "shuffle"])
def test_untrained_upsampling_has_no_checkerboard_artifacts(name):
    block = build(UNet, upsampling=name, normalization="none").decoder[0].eval()
    with torch.no_grad():
        doubled = block(torch.ones(1, 32, 4, 4))
    inner = doubled[:, :, 2:-2, 2:-2]
    torch.testing.assert_close(inner, inner[:, :, :1, :1].expand_as(inner))


def test_shuffled_channels_become_pixels():
    layer = SubPixelConv2d(1, 2, bias=True)
    nn.init.zeros_(layer.weight)
    layer.bias.data = torch.arange(8.0)
    expected = torch.tensor([[[0.0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert torch.equal(layer(torch.zeros(1, 1, 1, 1))[0], expected)


@pytest.mark.parametrize("name", UPSAMPLING)
def test_upsampling_doubles_the_size(name):
    block = up_block(8, 4, Structure(upsampling=name))
    assert block(torch.zeros(2, 8, 3, 5)).shape == (2, 4, 6, 10)


def test_dropout_is_the_dropped_share():
    rates = {
        m.p for m in build(UNet, dropout=0.2).modules() if isinstance(m, nn.Dropout)
    }
    assert rates == {0.2}


class TestAttention:
    def test_attention_has_no_effect_at_first(self):
        plain, attentive = build(UNet), build(UNet, attention=True)
        attentive.load_state_dict(plain.state_dict(), strict=False)
        images = torch.rand(1, 3, 32, 32)
        with torch.no_grad():
            assert torch.equal(plain.eval()(images), attentive.eval()(images))

    @pytest.mark.parametrize("image_size", [32, 64, 256])
    def test_maps_of_16_by_16_have_attention(self, image_size):
        network = UNet(image_size, 4, Structure(attention=True)).eval()
        shapes = []
        for module in network.modules():
            if isinstance(module, SelfAttention):
                module.register_forward_hook(lambda m, a, o: shapes.append(o.shape))
        network(torch.zeros(1, 3, image_size, image_size))
        assert [tuple(shape[2:]) for shape in shapes] == [(16, 16)]

    def test_output_is_the_mean_over_positions_weighted_by_attention(self):
        torch.manual_seed(0)
        layer = SelfAttention(8)  # one inner channel
        layer.gamma.data.fill_(0.5)
        x = torch.randn(1, 8, 2, 2)
        places = [x[0, :, i, j] for i in range(2) for j in range(2)]
        expected = torch.empty_like(x)
        for number, place in enumerate(places):
            query = float(layer.query.weight.view(8) @ place)
            weights = [
                math.exp(query * float(layer.key.weight.view(8) @ other))
                for other in places
            ]
            values = [float(layer.value.weight.view(8) @ other) for other in places]
            mean = sum(w * v for w, v in zip(weights, values, strict=True))
            found = layer.out.weight.view(8) * mean / sum(weights)
            expected[0, :, number // 2, number % 2] = place + 0.5 * found
        torch.testing.assert_close(layer(x), expected)

    def test_attention_is_counted_as_a_cost(self):
        plain, attentive = build(UNet), build(UNet, attention=True)
        assert count_parameters(attentive) > count_parameters(plain)
        assert count_gmac(attentive, 32) > count_gmac(plain, 32)


@pytest.mark.parametrize("network", [UNet, Autoencoder, PretrainedUNet])
def test_blocks_refine_every_level_and_change_nothing_at_first(network):
    plain, refined = build(network), build(network, blocks=2)
    found = [m for m in refined.modules() if isinstance(m, GatedBlock)]
    levels = len(plain.decoder)
    assert len(found) >= 2 * levels
    assert len(found) % 2 == 0
    refined.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    if network is PretrainedUNet:  # its modules keep their names
        torch.testing.assert_close(
            refined.eval()(images), plain.eval()(images), rtol=1e-3, atol=1e-4
        )
