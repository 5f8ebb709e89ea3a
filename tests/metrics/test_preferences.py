import math

import pandas as pd
import pytest

from image_translation.metrics.preferences import (
    judge_agreement,
    krippendorff_alpha,
    preference_rates,
)


def votes(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Rows of judge, question, left, right, choice."""
    table = pd.DataFrame(rows, columns=["judge", "question", "left", "right", "choice"])
    real = (table["left"] == "target") | (table["right"] == "target")
    return table.assign(kind=real.map({True: "reality", False: "preference"}))


def test_preference_does_not_depend_on_sides():
    table = votes(
        ("j", "1", "a", "b", "left"),
        ("j", "2", "b", "a", "right"),
        ("j", "3", "b", "a", "left"),
        ("j", "4", "a", "b", "none"),
    )
    (row,) = preference_rates(table).to_dict("records")
    assert (row["model_a"], row["model_b"]) == ("a", "b")
    assert (row["n"], row["undecided"]) == (3, 1)
    assert row["rate"] == pytest.approx(2 / 3)


def test_interval_is_wilsons():
    table = votes(*[("j", str(i), "a", "b", "left") for i in range(10)])
    (row,) = preference_rates(table).to_dict("records")
    z = 1.959963984540054
    assert row["ci_low"] == pytest.approx(1 / (1 + z**2 / 10))
    assert row["ci_high"] == pytest.approx(1)


def test_fooling_rate_is_the_share_that_took_the_model_for_real():
    table = votes(
        ("j", "1", "zebra", "target", "left"),
        ("j", "2", "target", "zebra", "left"),
        ("j", "3", "target", "zebra", "left"),
        ("j", "4", "target", "zebra", "none"),
    )
    (row,) = preference_rates(table).to_dict("records")
    assert (row["kind"], row["model_a"], row["model_b"]) == (
        "reality",
        "zebra",
        "target",
    )
    assert row["rate"] == pytest.approx(1 / 3)


def test_nothing_decided_has_no_rate():
    (row,) = preference_rates(votes(("j", "1", "a", "b", "none"))).to_dict("records")
    assert row["n"] == 0 and math.isnan(row["rate"]) and math.isnan(row["ci_low"])


def test_alpha_of_two_observers_as_published():
    """Krippendorff (2011), part A: 10 units, two observers, alpha = 0.095."""
    first, second = "0100000010", "1110010000"
    assert krippendorff_alpha(zip(first, second, strict=True)) == pytest.approx(
        0.095, abs=5e-4
    )


def test_alpha_with_missing_values_as_published():
    """Krippendorff (2011), part C: 12 units, four observers, alpha = 0.743."""
    rows = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [
        [value for value in unit if value != "."] for unit in zip(*rows, strict=True)
    ]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (["aa", "bb"], 1.0),
        # o = 2 · 2, n = 4, Σ n(c)n(k) = 2 · 2 · 2: 1 − 3 · 4 / 8
        (["ab", "ba"], -0.5),
        (["ab", "aa", "bb", "bb"], 8 / 15),
    ],
)
def test_alpha_by_hand(units, expected):
    assert krippendorff_alpha(units) == pytest.approx(expected)


@pytest.mark.parametrize("units", [[], ["a", "b"], ["aa", "aa"]])
def test_alpha_is_unknown_where_nothing_varies(units):
    assert math.isnan(krippendorff_alpha(units))


def test_agreement_leaves_out_the_undecided():
    table = votes(
        ("j", "1", "a", "b", "left"),
        ("k", "1", "a", "b", "left"),
        ("j", "2", "a", "b", "left"),
        ("k", "2", "a", "b", "right"),
        ("j", "3", "a", "b", "none"),
        ("k", "3", "a", "b", "left"),
    )
    agreement = judge_agreement(table)
    assert (agreement.n_judges, agreement.n_questions) == (2, 2)
    assert agreement.raw == 0.5
    assert agreement.alpha == pytest.approx(1 - 3 * 2 / 6)
