import json

import pandas as pd
import pytest

from image_translation.reporting.interactive import score_chart


@pytest.fixture
def comparison() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("unet", "mse", 0.02, 0.01, 0.04),
            ("copy_input", "mse", 0.03, float("nan"), float("nan")),
            ("unet", "psnr", 21.0, 20.0, 23.0),
            ("copy_input", "psnr", 19.0, 18.0, 20.0),
            ("pix2pix", "psnr", float("nan"), float("nan"), float("nan")),
        ],
        columns=["model", "metric", "mean", "ci_low", "ci_high"],
    )


def test_menu_selects_one_of_all_metrics(comparison):
    figure = score_chart(comparison)
    assert [(t.name, t.visible) for t in figure.data] == [
        ("mse", False),
        ("psnr", True),
    ]
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["MSE", "PSNR"]
    assert menu.buttons[0].args[0]["visible"] == [True, False]
    assert menu.active == 1


def test_intervals_reach_from_low_to_high(comparison):
    dots = score_chart(comparison).data[1]
    assert list(dots.y) == ["unet", "copy_input"]  # what has no mean is left out
    assert list(dots.x) == [21.0, 19.0]
    assert list(dots.error_x.array) == [2.0, 1.0]
    assert list(dots.error_x.arrayminus) == [1.0, 1.0]


def test_line_marks_the_copy(comparison):
    figure = score_chart(comparison)
    assert [shape.x0 for shape in figure.layout.shapes] == [19.0]
    assert figure.layout.updatemenus[0].buttons[0].args[1]["shapes"][0]["x0"] == 0.03


def test_arrays_are_plain_lists(comparison):
    data = json.loads(score_chart(comparison).to_json())["data"]
    assert data[1]["x"] == [21.0, 19.0]
    assert data[0]["error_x"]["array"] == pytest.approx([0.02, 0.0])


def test_figure_without_scores_is_empty(comparison):
    assert not score_chart(comparison.head(0)).data
