import torch

from image_translation.networks import CopyInput, MeanTarget, count_parameters
from tests.networks.contract import GeneratorContract


class TestCopyInput(GeneratorContract):
    def make(self, image_size):
        return CopyInput()

    def test_output_is_the_input(self):
        images = torch.rand(2, 3, 32, 32)
        assert torch.equal(CopyInput()(images), images)


class TestMeanTarget(GeneratorContract):
    def make(self, image_size):
        return MeanTarget(image_size)

    def test_image_is_the_same_for_every_input(self):
        network = MeanTarget(32)
        network.image.copy_(torch.rand(1, 3, 32, 32))
        output = network(torch.rand(2, 3, 32, 32))
        assert torch.equal(output[0], network.image[0])
        assert torch.equal(output[0], output[1])

    def test_image_is_part_of_the_weights_but_not_trained(self):
        network = MeanTarget(32)
        assert set(network.state_dict()) == {"image"}
        assert count_parameters(network) == 0
