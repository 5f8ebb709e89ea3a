import numpy as np
import pytest
import torch
from scipy import ndimage

from image_translation.training.diff_augment import CHANGES, DRAWS, PairChange

SIZE = 16


def pairs(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, count, 3, SIZE, SIZE, generator=generator) * 2 - 1


def change(kinds, draws, *images):
    return PairChange(kinds, torch.as_tensor(draws))(*images)


def test_without_kinds_nothing_changes_and_nothing_is_drawn():
    inputs, images = pairs()
    before = torch.get_rng_state()
    made = PairChange.draw((), 4, inputs.device)
    assert torch.equal(torch.get_rng_state(), before)
    same, also = made(inputs, images)
    assert same is inputs
    assert also is images


@pytest.mark.parametrize(
    ("draw", "shift"),
    [((0.0, 0.99), (-2, 2)), ((0.5, 0.5), (0, 0)), ((0.7, 0.2), (1, -1))],
)
def test_translation_shifts_both_images_and_fills_with_grey(draw, shift):
    """By at most an eighth, 2 of 16 pixels; against SciPy."""
    inputs, images = pairs(1)
    draws = torch.zeros(1, DRAWS)
    draws[0, 3:5] = torch.tensor(draw)
    for given, found in zip(
        (inputs, images), change(["translation"], draws, inputs, images), strict=True
    ):
        expected = ndimage.shift(
            given[0].numpy(), (0, *(-s for s in shift)), order=0, cval=0
        )
        np.testing.assert_array_equal(found[0].numpy(), expected)


def test_cutout_greys_the_same_square_of_half_the_side_in_both_images():
    inputs, images = pairs(1)
    draws = torch.full((1, DRAWS), 0.5)
    for given, found in zip(
        (inputs, images), change(["cutout"], draws, inputs, images), strict=True
    ):
        is_cut = (found == 0).all(dim=1)[0]
        rows, columns = np.nonzero(is_cut.numpy())
        assert set(rows) == set(columns) == set(range(5, 12))
        assert is_cut.sum() == 49
        assert torch.equal(found[0][:, ~is_cut], given[0][:, ~is_cut])


def test_colour_changes_brightness_saturation_and_contrast_of_the_image_alone():
    inputs, images = pairs(1)
    draws = torch.zeros(1, DRAWS)
    draws[0, :3] = torch.tensor([0.7, 0.25, 0.9])
    same, found = change(["colour"], draws, inputs, images)
    assert torch.equal(same, inputs)
    x = images[0].numpy() + 0.2
    grey = x.mean(0)
    x = grey + 0.5 * (x - grey)
    expected = x.mean() + 1.4 * (x - x.mean())
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_middle_of_the_draws_changes_no_colour():
    inputs, images = pairs()
    _, found = change(["colour"], torch.full((4, DRAWS), 0.5), inputs, images)
    torch.testing.assert_close(found, images)


@pytest.mark.parametrize("kind", CHANGES)
def test_gradients_reach_the_image(kind):
    inputs, images = pairs()
    images.requires_grad_()
    made = PairChange.draw([kind], 4, inputs.device)
    made(inputs, images)[1].square().sum().backward()
    assert (images.grad.flatten(1) != 0).any(1).all()


def test_pairs_of_a_batch_change_differently_and_the_same_way_twice():
    same = torch.rand(1, 3, SIZE, SIZE).repeat(8, 1, 1, 1)
    made = PairChange.draw([*CHANGES], 8, same.device)
    first, second = made(same, same)[1], made(same, same)[1]
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
