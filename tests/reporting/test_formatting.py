import math

import pytest

from image_translation.reporting import formatting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.25, "4.2 s"),
        (41, "41 s"),
        (74, "1 min 14 s"),
        (3599.9, "1 h 00 min"),
        (math.nan, "–"),
    ],
)
def test_duration(seconds, text):
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (54.41e6, 1e6, "54.4"),
        (6.05, 1, "6.05"),
        (112.4, 1, "112"),
        (0.0381, 1, "0.0381"),
    ],
)
def test_quantity_has_three_digits(number, unit, text):
    assert formatting.quantity(number, unit=unit) == text


def test_differences_have_a_sign():
    assert formatting.signed("psnr", 1.5).startswith("+1.5")
    assert formatting.signed("psnr", -1.5).startswith("−1.5")


def test_interval_has_one_unit():
    assert formatting.interval("psnr", 21.0, 24.0).count("dB") == 1
    assert formatting.interval("psnr", math.nan, 24.0) == ""


def test_missing_value_is_a_dash():
    assert formatting.value("ssim", math.nan) == "–"


@pytest.mark.parametrize(
    ("p", "text"), [(0.00001, "< 0.001"), (0.0312, "0.031"), (1.0, "1.000")]
)
def test_p_value_is_never_zero(p, text):
    assert formatting.p_value(p) == text


def test_setting_is_found_in_every_block():
    settings = {"t.a.training.seed": 1, "t.b.training.seed": 2, "t.c.training.seed": 1}
    assert formatting.setting_values(settings, "training.seed") == ["1", "2"]
