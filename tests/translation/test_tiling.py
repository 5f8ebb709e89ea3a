import numpy as np
import pytest

from image_translation.translation.tiling import place_tiles, ramp, translate_tiles


@pytest.mark.parametrize("length", [32, 33, 40, 100, 257])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
def test_tiles_cover_the_length_with_the_given_overlap(length, overlap):
    starts = place_tiles(length, 32, overlap)
    assert starts[0] == 0 and starts[-1] == length - 32
    steps = np.diff(starts)
    assert (steps > 0).all() and (steps <= 32 - round(32 * overlap)).all()


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_ramps_of_neighbours_add_up_to_one(overlap):
    weights = ramp(32, overlap)
    width = round(32 * overlap)
    np.testing.assert_allclose(weights[:width] + weights[-width:], 1, atol=1e-6)
    assert (weights > 0).all()


@pytest.mark.parametrize("shape", [(32, 32), (50, 90), (100, 33), (7, 200), (1, 1)])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
def test_identity_returns_the_image(shape, overlap):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    same = translate_tiles(lambda tiles: tiles, image, 32, overlap)
    np.testing.assert_array_equal(same, image)


def test_blend_is_the_weighted_mean_of_all_tiles():
    """Compared with sums over the whole image, with tiles that differ."""
    image = np.random.default_rng(0).integers(0, 200, (75, 110, 3), dtype=np.uint8)
    numbers = iter(range(1000))

    def shift(tiles):
        return np.stack([tile + next(numbers) % 50 for tile in tiles]).astype(np.uint8)

    blended = translate_tiles(shift, image, 32, 0.25)
    sums, weights, number = np.zeros(image.shape), np.zeros((75, 110, 1)), 0
    window = np.outer(ramp(32, 0.25), ramp(32, 0.25))[..., None]
    for top in place_tiles(75, 32, 0.25):
        for left in place_tiles(110, 32, 0.25):
            where = np.s_[top : top + 32, left : left + 32]
            sums[where] += window * (image[where] + float(number % 50))
            weights[where] += window
            number += 1
    np.testing.assert_allclose(blended, sums / weights, atol=0.51)


def test_only_a_row_of_tiles_is_in_memory():
    seen = []
    translate_tiles(
        lambda tiles: seen.append(len(tiles)) or tiles,
        np.zeros((320, 96, 3), np.uint8),
        32,
        0,
    )
    assert seen == [3] * 10
