import numpy as np
import pytest

from image_translation.imaging.resizing import PAD_VALUE, fit_image


@pytest.mark.parametrize("how", ["resize", "pad", "crop"])
@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (8, 200), (64, 64), (1, 1)])
def test_result_is_square(how, shape):
    image = np.full((*shape, 3), 200, np.uint8)
    fitted = fit_image(image, 64, how)
    assert fitted.shape == (64, 64, 3)
    assert fitted.dtype == np.uint8


@pytest.mark.parametrize("how", ["resize", "pad", "crop"])
def test_image_of_the_right_size_is_unchanged(how):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_image(image, 64, how), image)


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # far above the Nyquist limit of 32 pixels: must become grey
    inside = fit_image(stripes, 32, "resize")[:, 2:-2].astype(int)
    assert np.abs(inside - 127.5).max() < 3


def test_pad_keeps_the_whole_image_in_the_middle():
    fitted = fit_image(np.full((20, 40, 3), 200, np.uint8), 64, "pad")
    assert (fitted[16:48] == 200).all()
    assert (fitted[:16] == PAD_VALUE).all()
    assert (fitted[48:] == PAD_VALUE).all()


def test_crop_keeps_the_central_square():
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 32:96] = 200
    assert (fit_image(image, 64, "crop") == 200).all()


def test_resize_keeps_the_whole_image():
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 64:] = 200
    fitted = fit_image(image, 64, "resize")
    assert (fitted[:, :30] == 0).all()
    assert (fitted[:, 34:] == 200).all()
