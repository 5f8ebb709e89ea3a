"""Requirements of every generator; a test class derives from it."""

import pytest
import torch
from torch import nn


class GeneratorContract:
    """Derive a class ``Test…`` from it that defines ``make``."""

    def make(self, image_size: int) -> nn.Module:
        raise NotImplementedError

    @pytest.mark.parametrize("image_size", [32, 64, 128, 256, 512, 1024])
    def test_output_is_image_of_same_size_in_range(self, image_size):
        images = torch.rand(1, 3, image_size, image_size) * 2 - 1
        with torch.no_grad():
            output = self.make(image_size).eval()(images)
        assert output.shape == images.shape
        assert output.abs().max() <= 1

    @pytest.mark.parametrize("image_size", [32, 64, 256])
    def test_trains_on_a_single_image(self, image_size):
        network = self.make(image_size).train()
        output = network(torch.rand(1, 3, image_size, image_size) * 2 - 1)
        assert output.isfinite().all()
        if output.requires_grad:
            output.square().mean().backward()
            gradients = [p.grad for p in network.parameters()]
            assert all(g is not None and g.isfinite().all() for g in gradients)

    def test_evaluation_does_not_depend_on_the_rest_of_the_batch(self):
        network = self.make(32).eval()
        images = torch.rand(3, 3, 32, 32) * 2 - 1
        with torch.no_grad():
            together, alone = network(images)[1:2], network(images[1:2])
        torch.testing.assert_close(together, alone)

    def test_channels_last_gives_the_same(self):
        network = self.make(32).eval()
        images = torch.rand(2, 3, 32, 32) * 2 - 1
        with torch.no_grad():
            expected = network(images)
            network.to(memory_format=torch.channels_last)
            output = network(images.to(memory_format=torch.channels_last))
        torch.testing.assert_close(output, expected)


class TrainableGeneratorContract(GeneratorContract):
    """Additional requirements of a network that is trained."""

    @pytest.mark.parametrize("image_size", [0, 16, 48, 100, 2048, -64])
    def test_unsuitable_size_is_an_error(self, image_size):
        with pytest.raises(ValueError, match=f"power of two .* not {image_size}"):
            self.make(image_size)

    def test_first_block_halves_256_to_128(self):
        block = self.make(256).encoder[0]
        assert block(torch.zeros(1, 3, 256, 256)).shape[-2:] == (128, 128)

    def test_initial_weights_are_as_published(self):
        torch.manual_seed(0)
        network = self.make(64)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)
                assert module.weight.mean().item() == pytest.approx(0, abs=2e-3)
                assert module.bias is None or not module.bias.any()
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert not module.bias.any()

    def test_leaky_slope_is_as_published(self):
        slopes = [
            module.negative_slope
            for module in self.make(64).modules()
            if isinstance(module, nn.LeakyReLU)
        ]
        assert set(slopes) == {0.2}

    def test_convolution_has_a_bias_exactly_where_no_norm_follows(self):
        network = self.make(64)
        for block in network.modules():
            if not isinstance(block, nn.Sequential):
                continue
            for module, following in zip(block[:-1], block[1:], strict=True):
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    has_norm = isinstance(following, nn.BatchNorm2d)
                    assert (module.bias is None) == has_norm
