import numpy as np
import torch

from image_translation.training.tensors import to_tensor, to_uint8


def test_all_levels_survive_the_round_trip():
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    np.testing.assert_array_equal(to_uint8(to_tensor(images)), images)


def test_range_and_shape():
    images = np.zeros((2, 4, 6, 3), np.uint8)
    images[:, :, :, 1] = 255
    tensor = to_tensor(images)
    assert tensor.shape == (2, 3, 4, 6)
    assert tensor[:, 0].unique().tolist() == [-1]
    assert tensor[:, 1].unique().tolist() == [1]


def test_values_outside_are_clipped():
    tensor = torch.tensor([-7.0, -1.001, 1.001, 7.0]).reshape(1, 1, 2, 2)
    assert to_uint8(tensor).ravel().tolist() == [0, 0, 255, 255]


def test_values_between_are_rounded():
    tensor = torch.tensor([100.4, 100.6]).div(127.5).sub(1).reshape(1, 1, 1, 2)
    assert to_uint8(tensor).ravel().tolist() == [100, 101]


def test_read_only_images_are_accepted_and_unchanged():
    images = np.full((1, 2, 2, 3), 9, np.uint8)
    images.flags.writeable = False
    to_tensor(images).zero_()
    assert (images == 9).all()
