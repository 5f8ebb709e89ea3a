from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from image_translation.reporting.palette import STYLES, style_of

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]
PAPER, SCREEN = "#ffffff", "#1c1f24"


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(
        values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
    )


def contrast(a: str, b: str) -> float:
    light, dark = sorted(
        (linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (a, b)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, vision: object) -> np.ndarray:
    seen = np.clip(np.asarray(vision) @ linear(colour), 0, 1)
    low, high = 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055
    return rgb2lab(np.where(seen <= 0.0031308, low, high))


@pytest.mark.parametrize("model", [*STYLES, "a model of one's own"])
def test_colours_have_contrast_on_paper_and_screen(model):
    colour = style_of(model).colour
    assert contrast(colour, PAPER) >= 3
    assert contrast(colour, SCREEN) >= 3


@pytest.mark.parametrize("vision", [np.eye(3), PROTANOPIA, DEUTERANOPIA])
def test_colours_are_distinguishable_for_colour_blind_readers(vision):
    for a, b in combinations(STYLES.values(), 2):
        assert deltaE_ciede2000(lab(a.colour, vision), lab(b.colour, vision)) > 5


def test_no_two_models_share_a_marker():
    markers = [look.marker for look in STYLES.values()]
    assert len(set(markers)) == len(markers)


def test_style_of_an_unknown_name_is_deterministic():
    assert style_of("mine") == style_of("mine")
