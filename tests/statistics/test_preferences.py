import math

import numpy as np
import pandas as pd
import pytest
import scipy

from image_translation.statistics.preferences import (
    estimate_share,
    judge_agreement,
    krippendorff_alpha,
    preference_rates,
)


def votes(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Rows of judge, question, left, right, choice."""
    table = pd.DataFrame(rows, columns=["judge", "question", "left", "right", "choice"])
    real = (table["left"] == "target") | (table["right"] == "target")
    kind = real.map({True: "reality", False: "preference"})
    return table.assign(kind=kind, pair_id=table["question"], group=table["question"])


def simulate(rng, judges=10, images=20, share=0.5, rivals=("a", "b"), own=True):
    """Votes where judges see different images, or all see the same ones."""
    liked = rng.beta(2 * share, 2 * (1 - share), 60)
    fixed = rng.permutation(60)[:images]
    rows = []
    for judge in range(judges):
        for image in rng.permutation(60)[:images] if own else fixed:
            choice = "left" if rng.random() < liked[image] else "right"
            rows.append((f"j{judge}", f"{'-'.join(rivals)} {image}", *rivals, choice))
    return votes(*rows)


def test_preference_does_not_depend_on_position():
    table = votes(
        ("j", "1", "a", "b", "left"),
        ("j", "2", "b", "a", "right"),
        ("j", "3", "b", "a", "left"),
        ("j", "4", "a", "b", "none"),
    )
    (row,) = preference_rates(table).to_dict("records")
    assert (row["model_a"], row["model_b"]) == ("a", "b")
    assert (row["n"], row["undecided"]) == (3, 1)
    assert row["rate"] == pytest.approx((2 + 0.5) / 4)


def test_variance_is_that_of_two_way_clusters():
    """Equal to sums over all pairs of votes that share an image or a judge."""
    rng = np.random.default_rng(3)
    support = rng.choice([0, 0.5, 1], 200)
    group, judge = rng.integers(0, 12, 200), rng.integers(0, 5, 200)
    share = estimate_share(support, group, judge)

    def shared(same):
        return sum(
            (support[i] - rate) * (support[j] - rate)
            for i in range(200)
            for j in range(200)
            if same(i, j)
        )

    rate = support.mean()
    cells = len({*zip(group, judge, strict=True)})
    by_group = shared(lambda i, j: group[i] == group[j]) * 12 / 11
    by_judge = shared(lambda i, j: judge[i] == judge[j]) * 5 / 4
    both = shared(lambda i, j: group[i] == group[j] and judge[i] == judge[j])
    least = (200 * rate + 2) * (200 * (1 - rate) + 2) / 204**3
    variance = max(
        (by_group + by_judge - both * cells / (cells - 1)) / 200**2,
        by_group / 200**2,
        by_judge / 200**2,
        least,
    )
    t = scipy.stats.t(4)
    centre = (200 * rate + 2) / 204
    assert share.high - share.low == pytest.approx(2 * t.ppf(0.975) * variance**0.5)
    p = 2 * t.sf(abs(centre - 0.5) / variance**0.5)
    assert share.p_value == pytest.approx(p)


def test_more_judges_do_not_increase_the_number_of_images():
    def width(judges):
        rng = np.random.default_rng(0)
        table = simulate(rng, judges=judges, images=4, own=False)
        (row,) = preference_rates(table).to_dict("records")
        return row["ci_high"] - row["ci_low"]

    assert width(40) > 0.8


@pytest.mark.parametrize("judges", [3, 10, 20])
def test_false_preferences_are_rare(judges):
    """A short form of benchmarks/blind_test.py in the hardest case: diverse images."""
    rng = np.random.default_rng(judges)
    false = 0
    for _ in range(60):
        pairs = [
            simulate(rng, judges, 4, rivals=(f"a{pair}", f"b{pair}"))
            for pair in range(3)
        ]
        verdicts = preference_rates(pd.concat(pairs))["verdict"]
        false += verdicts.str.contains("is preferred").any()
    assert false <= 60 * 0.07


def test_true_preference_is_found():
    table = simulate(np.random.default_rng(1), share=0.8)
    (row,) = preference_rates(table).to_dict("records")
    assert row["verdict"] == "a is preferred" and row["p_adjusted"] < 0.05
    assert (row["n_judges"], row["n_images"]) == (10, table["pair_id"].nunique())
    assert row["ci_low"] > 0.5


def test_verdict_uses_the_corrected_p_value():
    rows = [("j", str(i), "a", "b", "left" if i < 16 else "right") for i in range(20)]
    alone = preference_rates(votes(*rows))
    assert alone["verdict"].item() == "a is preferred by this judge"
    even = [
        ("j", f"{k} {i}", "c", f"d{k}", ["left", "right"][i % 2])
        for k in range(9)
        for i in range(20)
    ]
    table = preference_rates(votes(*rows, *even))
    assert table["p_value"][0] == alone["p_value"][0] < 0.05 < table["p_adjusted"][0]
    assert set(table["verdict"]) == {"undecided"}


@pytest.mark.parametrize(
    ("judges", "images", "verdict"),
    [
        (1, 3, "too few judges or images"),
        (1, 20, "a is preferred by this judge"),
        (2, 20, "too few judges or images"),
        (20, 1, "too few judges or images"),
        (5, 40, "too few judges or images"),
        (40, 5, "too few judges or images"),
        (6, 6, "a is preferred"),
    ],
)
def test_few_unanimous_votes_give_no_verdict(judges, images, verdict):
    rows = [
        (f"j{judge}", str(image), "a", "b", "left")
        for judge in range(judges)
        for image in range(images)
    ]
    assert preference_rates(votes(*rows))["verdict"].item() == verdict


def test_crops_of_one_photograph_count_as_one_image():
    table = votes(*[("j", str(i), "a", "b", "left") for i in range(20)])
    crops = table.assign(group=[str(i // 5) for i in range(20)])
    (row,) = preference_rates(crops).to_dict("records")
    assert (row["n_images"], row["n_groups"]) == (20, 4)
    assert row["p_value"] > preference_rates(table)["p_value"].item()


def test_fooling_rate_is_the_share_of_votes_for_the_model():
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
    assert row["rate"] == pytest.approx((1 + 0.5) / 4)


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [
        ("left", "taken for real more often than the real one"),
        ("right", "distinguishable from the target"),
    ],
)
def test_reality_verdicts(choice, verdict):
    rows = [
        (f"j{judge}", str(image), "zebra", "target", choice)
        for judge in range(8)
        for image in range(8)
    ]
    assert preference_rates(votes(*rows))["verdict"].item() == verdict


def test_undecided_votes_give_an_even_rate():
    rows = [("j", str(i), "a", "b", "none") for i in range(9)]
    (row,) = preference_rates(votes(*rows)).to_dict("records")
    assert (row["n"], row["undecided"], row["rate"]) == (0, 9, 0.5)
    assert row["p_value"] == 1 and row["ci_low"] < 0.5 < row["ci_high"]


def test_single_image_has_no_interval():
    (row,) = preference_rates(votes(("j", "1", "a", "b", "left"))).to_dict("records")
    assert math.isnan(row["ci_low"]) and math.isnan(row["p_adjusted"])
    assert row["verdict"] == "too few judges or images"


def test_alpha_of_two_observers_equals_the_published_value():
    """Krippendorff (2011), part A: 10 units, two observers, alpha = 0.095."""
    first, second = "0100000010", "1110010000"
    assert krippendorff_alpha(zip(first, second, strict=True)) == pytest.approx(
        0.095, abs=5e-4
    )


def test_alpha_with_missing_values_equals_the_published_value():
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
def test_alpha_is_nan_if_all_values_are_equal(units):
    assert math.isnan(krippendorff_alpha(units))


def test_agreement_ignores_undecided_votes():
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
