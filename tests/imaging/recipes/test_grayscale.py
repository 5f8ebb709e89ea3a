import numpy as np

from image_translation.imaging.recipes.grayscale import grayscale


def test_grayscale_is_luma_of_bt_601():
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luma = photo.astype(float) @ [0.299, 0.587, 0.114]
    expected = np.floor(luma + 0.5 + 1e-9).astype(np.uint8)
    np.testing.assert_array_equal(grayscale(photo), np.dstack([expected] * 3))


def test_grayscale_keeps_grey():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    np.testing.assert_array_equal(grayscale(grey), grey)
