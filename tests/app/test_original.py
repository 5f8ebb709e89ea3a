import numpy as np
import pytest

from image_translation.app import original
from image_translation.app.original import compare_with_original, has_colours
from image_translation.imaging.photo_files import Photo
from image_translation.metrics import ciede2000, psnr


def make_images(seed=0):
    random = np.random.default_rng(seed)
    picture, photo = random.integers(0, 256, (2, 50, 30, 3), np.uint8)
    return picture, photo


def make_photo(pixels, alpha=None):
    return Photo(pixels, alpha, "PNG", "RGB")


def test_scores_of_strips_are_those_of_the_whole(monkeypatch):
    picture, photo = make_images()
    monkeypatch.setattr(original, "PIXELS_AT_ONCE", 7 * 30)
    calls = []
    found = compare_with_original(picture, make_photo(photo), lambda: calls.append(1))
    whole = picture[None], photo[None]
    assert found["psnr"] == pytest.approx(psnr(*whole).item())
    assert found["ciede2000"] == pytest.approx(ciede2000(*whole).item(), rel=1e-5)
    assert len(calls) == 8


def test_transparent_pixels_do_not_count():
    picture, photo = make_images()
    alpha = np.zeros((50, 30), np.uint8)
    nothing = compare_with_original(picture, make_photo(photo, alpha))
    assert all(map(np.isnan, nothing.values()))
    alpha[:20] = 255
    found = compare_with_original(picture, make_photo(photo, alpha))
    assert found == compare_with_original(picture[:20], make_photo(photo[:20]))


def test_equal_pictures_have_an_infinite_psnr():
    _, photo = make_images()
    found = compare_with_original(photo, make_photo(photo))
    assert found == {"psnr": np.inf, "ciede2000": 0}


@pytest.mark.parametrize(
    ("colour", "expected"), [((90, 95, 92), False), ((90, 140, 92), True)]
)
def test_shades_of_grey_are_no_colours(colour, expected):
    assert has_colours(make_photo(np.full((40, 40, 3), colour, np.uint8))) is expected
