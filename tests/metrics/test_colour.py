"""Colour metrics compared with scikit-image, published values and hand-computed cases."""

import numpy as np
import pytest
from skimage import color, data

from image_translation.imaging.srgb import to_lab
from image_translation.metrics import (
    chroma_error,
    ciede2000,
    colourfulness_difference,
    saturation_bias,
)
from image_translation.metrics.colour import delta_e2000

# Sharma, Wu & Dalal 2005, table 1: all 34 pairs, L*a*b*, L*a*b*, ΔE00.
PUBLISHED = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, -1.1848, -84.8006), (50, 0, -82.7485), 1.0000),
    ((50, -0.9009, -85.5211), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, -1, 2), (50, 0, 0), 2.3669),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0010), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0012), 7.2195),
    ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045),
    ((50, -0.0010, 2.4900), (50, 0.0010, -2.4900), 4.8045),
    ((50, -0.0010, 2.4900), (50, 0.0011, -2.4900), 4.7461),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (56, -27, -3), 31.9030),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((50, 2.5, 0), (50, 3.1736, 0.5854), 1.0000),
    ((50, 2.5, 0), (50, 3.2972, 0), 1.0000),
    ((50, 2.5, 0), (50, 1.8634, 0.5757), 1.0000),
    ((50, 2.5, 0), (50, 3.2592, 0.3350), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((35.0831, -44.1164, 3.7933), (35.0232, -40.0716, 1.5901), 1.8645),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def images():
    photos = [data.astronaut(), data.chelsea(), data.coffee()]
    targets = np.stack([photo[50:114, 100:180] for photo in photos])
    noise = np.random.default_rng(0).integers(-40, 41, targets.shape)
    return np.clip(targets + noise, 0, 255).astype(np.uint8), targets


@pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED)
def test_published_pairs(first, second, expected):
    first, second = np.array(first, float), np.array(second, float)
    assert delta_e2000(first, second) == pytest.approx(expected, abs=5e-5)
    assert delta_e2000(second, first) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_difference_of_opposite_hues_is_symmetric(dtype):
    angles = np.radians(np.arange(0.5, 360))
    a, b = dtype(30 * np.cos(angles)), dtype(30 * np.sin(angles))
    first, second = np.stack([a * 0 + 50, a, b]), np.stack([a * 0 + 50, -a, -b])
    one, other = delta_e2000(first, second), delta_e2000(second, first)
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(("a", "b"), [(30, 0), (0, 30), (-30, 0), (0, -30)])
def test_opposite_hues_on_the_axes_equal_scikit_image(a, b):
    first, second = np.array([50.0, a, b]), np.array([50.0, -a, -b])
    expected = color.deltaE_ciede2000(first, second)
    assert delta_e2000(first, second) == pytest.approx(expected)


def test_lab_equals_scikit_image():
    _, targets = images()
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    for colours in (targets, levels):
        planes = np.moveaxis(color.rgb2lab(colours), -1, 0)
        np.testing.assert_allclose(to_lab(colours), planes, atol=1e-3)


def test_ciede2000_equals_scikit_image():
    predictions, targets = images()
    labs = color.rgb2lab(targets), color.rgb2lab(predictions)
    expected = color.deltaE_ciede2000(*labs).mean(axis=(1, 2))
    np.testing.assert_allclose(ciede2000(predictions, targets), expected, atol=1e-3)


def test_chroma_error_is_the_distance_without_lightness():
    predictions, targets = images()
    difference = (color.rgb2lab(predictions) - color.rgb2lab(targets))[..., 1:]
    expected = np.linalg.norm(difference, axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(chroma_error(predictions, targets), expected, atol=1e-3)


def test_saturation_bias_is_the_difference_of_mean_chroma():
    predictions, targets = images()
    chroma = [
        color.lab2lch(color.rgb2lab(side))[..., 1].mean(axis=(1, 2))
        for side in (predictions, targets)
    ]
    expected = np.abs(chroma[0] - chroma[1])
    found = saturation_bias(predictions, targets)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_colourfulness_of_a_hand_computed_case():
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 200
    grey = np.full_like(red, 90)
    # red - green = 200, (red + green) / 2 - blue = 100, no deviation
    expected = 0.3 * np.hypot(200, 100)
    assert colourfulness_difference(red, grey)[0] == pytest.approx(expected)
    half = red.copy()
    half[0, 0] = 0  # means 100 and 50, deviations too
    expected -= np.hypot(100, 50) + 0.3 * np.hypot(100, 50)
    assert colourfulness_difference(red, half)[0] == pytest.approx(abs(expected))


METRICS = [ciede2000, chroma_error, colourfulness_difference, saturation_bias]


@pytest.mark.parametrize("metric", METRICS)
def test_equal_images_have_no_error(metric):
    _, targets = images()
    np.testing.assert_array_equal(metric(targets, targets), 0)


@pytest.mark.parametrize("metric", METRICS)
def test_desaturated_images_have_an_error(metric):
    _, targets = images()
    grey = np.repeat(targets.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    assert (metric(grey, targets) > 1).all()


@pytest.mark.parametrize("metric", METRICS[1:])
def test_lightness_does_not_affect_colour_errors(metric):
    dark = np.full((1, 8, 8, 3), 60, np.uint8)
    light = np.full((1, 8, 8, 3), 200, np.uint8)
    np.testing.assert_allclose(metric(dark, light), 0, atol=0.02)
