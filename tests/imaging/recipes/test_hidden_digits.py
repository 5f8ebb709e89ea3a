import numpy as np
import pytest

from image_translation.imaging.recipes.hidden_digits import hide_digit
from tests.imaging.recipes.examples import hidden, stroke


def contrast(image: np.ndarray) -> float:
    """Difference of the mean of the digit to the mean around it."""
    mask = stroke()[..., 0] > 0
    grey = image.mean(axis=2)
    return abs(grey[mask].mean() - grey[~mask].mean())


def test_digit_keeps_its_position():
    plain = hide_digit(stroke(), hidden(texture=0, clutter=0, visibility=1))
    values = plain[..., 0].astype(int)
    mask = stroke()[..., 0] > 0
    assert len(np.unique(values[mask])) == len(np.unique(values[~mask])) == 1
    assert abs(values[mask][0] - values[~mask][0]) > 80


@pytest.mark.parametrize("seed", range(3))
def test_visibility_controls_the_contrast(seed):
    shown = [
        contrast(hide_digit(stroke(), hidden(visibility=v, texture=0, seed=seed)))
        for v in (0, 0.3, 0.6, 1)
    ]
    assert shown == sorted(shown)
    assert shown[0] < 5


def test_clutter_and_texture_are_added():
    empty = hide_digit(stroke(), hidden(visibility=0, clutter=0, texture=0))
    assert np.ptp(empty, axis=(0, 1)).max() == 0
    for added in ("clutter", "texture"):
        values = {"clutter": 0, "texture": 0, "visibility": 1} | {added: 0.5}
        blank = np.zeros_like(stroke())
        assert np.ptp(hide_digit(blank, hidden(**values))) > 30


def test_another_seed_gives_another_image():
    assert (
        hide_digit(stroke(), hidden()) != hide_digit(stroke(), hidden(seed=1))
    ).any()


def test_digits_have_independent_clutter():
    one, other = stroke(), np.roll(stroke(), 1, axis=1)
    grounds = [hide_digit(d, hidden(visibility=0)).astype(float) for d in (one, other)]
    assert abs(np.corrcoef(*(g[..., 0].ravel() for g in grounds))[0, 1]) < 0.5
