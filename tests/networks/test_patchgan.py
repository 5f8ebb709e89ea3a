import pytest
import torch

from image_translation.networks import (
    MultiScalePatchGAN,
    PatchGAN,
    count_gmac,
    count_parameters,
)
from image_translation.training.settings import MAX_SCALES


def test_full_width_has_2_77_million_parameters():
    assert count_parameters(PatchGAN()) / 1e6 == pytest.approx(2.77, abs=0.005)


def test_full_width_takes_3_20_gmac():
    assert count_gmac(PatchGAN(), 256) == pytest.approx(3.20, abs=0.005)


@pytest.mark.parametrize(
    ("image_size", "patch"), [(32, 7), (64, 16), (128, 34), (256, 70), (512, 142)]
)
def test_receptive_field_of_a_logit_is_a_quarter_of_the_image(image_size, patch):
    discriminator = PatchGAN(4, image_size).eval()
    pair = torch.rand(2, 1, 3, image_size, image_size, requires_grad=True)
    logits = discriminator(*pair)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    for image in pair.grad:
        seen = image.abs().sum(dim=(0, 1)).nonzero()
        height, width = (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist()
        assert (height, width) == (patch, patch)


def test_width_grows_with_the_halvings_as_published():
    widths = {
        size: [
            module.out_channels
            for module in PatchGAN(64, size).modules()
            if isinstance(module, torch.nn.Conv2d)
        ]
        for size in (32, 64, 256, 512)
    }
    assert widths == {
        32: [64, 1],
        64: [64, 128, 1],
        256: [64, 128, 256, 512, 1],
        512: [64, 128, 256, 512, 512, 1],
    }


@pytest.mark.parametrize("image_size", [32, 64])
def test_first_layer_has_no_norm(image_size):
    first = PatchGAN(4, image_size).blocks[0]
    modules = list(first.modules()) if image_size > 32 else [first]
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in modules)


def test_an_image_size_that_cannot_be_halved_to_32_is_an_error():
    with pytest.raises(ValueError, match="power of two"):
        PatchGAN(4, 96)


def test_input_and_target_both_count():
    discriminator = PatchGAN(4).eval()
    a, b, c = torch.rand(3, 1, 3, 64, 64)
    with torch.no_grad():
        logits = discriminator(a, b)
        assert not torch.equal(logits, discriminator(c, b))
        assert not torch.equal(logits, discriminator(a, c))


def test_trains_on_a_single_pair():
    images = torch.rand(1, 3, 64, 64)
    assert PatchGAN(4).train()(images, images).isfinite().all()


class TestMultiScale:
    def test_finest_is_the_patchgan(self):
        torch.manual_seed(0)
        plain = PatchGAN(4)
        torch.manual_seed(0)
        several = MultiScalePatchGAN(4, scales=2)
        weights = several.state_dict()
        for name, value in plain.state_dict().items():
            assert torch.equal(weights[name], value)
        pair = torch.rand(2, 1, 3, 64, 64)
        logits = [layers[-1] for layers in several.eval()(*pair)]
        assert torch.equal(logits[0], plain.eval()(*pair))

    def test_one_scale_has_the_weights_of_the_patchgan_alone(self):
        assert list(MultiScalePatchGAN(4).state_dict()) == list(
            PatchGAN(4).state_dict()
        )

    def test_coarser_discriminator_gets_the_pair_at_half_size(self):
        several = MultiScalePatchGAN(4, scales=2).eval()
        pair = torch.rand(2, 1, 3, 64, 64)
        halved = [
            torch.nn.functional.interpolate(x, scale_factor=0.5, mode="area")
            for x in pair
        ]
        finest_of_halved = several.coarser[0]._activations(*halved)
        torch.testing.assert_close(several(*pair)[1][-1], finest_of_halved[-1])

    @pytest.mark.parametrize("image_size", [32, 64, 256])
    def test_most_scales_that_settings_allow_leave_logits(self, image_size):
        images = torch.zeros(1, 3, image_size, image_size)
        features = MultiScalePatchGAN(2, MAX_SCALES, image_size)(images, images)
        assert len(features) == MAX_SCALES
        assert all(layers[-1].numel() for layers in features)

    def test_layers_are_those_after_each_activation(self):
        images = torch.zeros(1, 3, 64, 64)
        for bounded in (False, True):
            (layers,) = MultiScalePatchGAN(2, spectral_norm=bounded)(images, images)
            shapes = [tuple(layer.shape[1:]) for layer in layers]
            assert shapes == [
                (2, 32, 32),
                (4, 16, 16),
                (8, 8, 8),
                (16, 7, 7),
                (1, 6, 6),
            ]


class TestSpectralNorm:
    def test_largest_singular_value_of_every_layer_is_one(self):
        discriminator = PatchGAN(4, spectral_norm=True).train()
        images = torch.rand(1, 3, 64, 64)
        for _ in range(30):
            discriminator(images, images)  # a power iteration each
        for module in discriminator.modules():
            if isinstance(module, torch.nn.Conv2d):
                matrix = module.weight.detach().flatten(1)
                largest = torch.linalg.matrix_norm(matrix, ord=2).item()
                assert largest == pytest.approx(1, abs=0.02)

    def test_spectral_norm_replaces_batch_norm(self):
        modules = PatchGAN(4, spectral_norm=True).modules()
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in modules)
