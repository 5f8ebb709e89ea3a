"""The tables of means, verdicts and effects."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from image_translation.metrics import (
    METRICS,
    compare_effects,
    compare_models,
    compare_pairs,
    compare_sets,
)
from image_translation.metrics.comparison import (
    COMPARISON_COLUMNS,
    EFFECT_COLUMNS,
    EFFECTS,
    NO_EFFECT,
    TOO_FEW_GROUPS,
    VERDICT_COLUMNS,
)
from image_translation.metrics.statistics import (
    Interval,
    bootstrap_mean,
    minimum_detectable_difference,
    seed_margin,
    widen,
)

NOT_RUN = pd.DataFrame(columns=["pair_id", "group", "replicate", *METRICS])


def make_scores(values, images_per_group=2, replicate=0, metric="psnr"):
    values = np.asarray(values, dtype=float)
    number = np.arange(len(values))
    return pd.DataFrame(
        {
            "pair_id": [f"{n:016x}" for n in number],
            "group": [f"photo-{n // images_per_group:03}" for n in number],
            "replicate": replicate,
            metric: values,
        }
    )


def noise(size=60, seed=0):
    return np.random.default_rng(seed).normal(25, 2, size)


def only(table):
    assert len(table) == 1
    return table.iloc[0]


def test_comparison_has_a_row_a_model_and_metric():
    scores = make_scores(noise()).assign(**dict.fromkeys(METRICS, 0.5))
    table = compare_models({"unet": scores, "copy_input": scores})
    assert list(table) == COMPARISON_COLUMNS
    assert table[["model", "metric"]].to_numpy().tolist() == [
        [model, metric] for model in ("unet", "copy_input") for metric in METRICS
    ]
    directions = [metric.higher_is_better for metric in METRICS.values()]
    assert table["higher_is_better"].tolist() == directions * 2
    assert table["n_images"].eq(60).all()
    assert table["n_groups"].eq(30).all()


def test_mean_is_over_images_of_the_mean_over_replicates():
    first, second = noise(seed=1), noise(seed=2)
    scores = pd.concat([make_scores(first), make_scores(second, replicate=1)])
    row = only(compare_models({"unet": scores}))
    image_means = (first + second) / 2
    expected = widen(
        bootstrap_mean(image_means, make_scores(first)["group"]),
        seed_margin([first.mean(), second.mean()]),
    )
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
    assert (row["n_images"], row["n_replicates"]) == (60, 2)


def test_model_without_scores_is_shown_as_missing():
    table = compare_models({"unet": make_scores(noise()), "pix2pix": NOT_RUN})
    row = table.set_index("model").loc["pix2pix"]
    assert row[["mean", "ci_low", "ci_high"]].isna().all()
    assert row[["n_images", "n_groups", "n_replicates"]].eq(0).all()


def test_models_that_all_lack_scores_have_all_rows():
    table = compare_models({"unet": NOT_RUN, "pix2pix": pd.DataFrame()})
    assert len(table) == 2 * len(METRICS)
    assert table["mean"].isna().all()
    assert compare_pairs({"unet": NOT_RUN, "pix2pix": pd.DataFrame()}).empty


def test_infinite_psnr_counts_as_100_decibels():
    values = noise()
    values[0] = np.inf
    row = only(compare_models({"unet": make_scores(values)}))
    assert row["mean"] == pytest.approx((values[1:].sum() + 100) / 60)
    assert np.isfinite([row["ci_low"], row["ci_high"]]).all()


def test_image_without_a_score_in_each_replicate_does_not_count(caplog):
    values = noise()
    lacking = np.where(np.arange(60) < 4, np.nan, values)
    scores = pd.concat([make_scores(values), make_scores(lacking, replicate=1)])
    row = only(compare_models({"unet": scores}))
    assert (row["n_images"], row["n_groups"]) == (56, 28)
    assert row["mean"] == pytest.approx(values[4:].mean())
    assert "unet: 4 images are left out of psnr" in caplog.text


def test_planted_difference_is_found_and_paired():
    difficulty = noise()
    a, b = make_scores(difficulty + 0.1), make_scores(difficulty + noise(seed=1) / 50)
    table = compare_pairs({"a": a, "b": b})
    assert list(table) == VERDICT_COLUMNS
    row = only(table)
    by_image = a["psnr"] - b["psnr"]
    expected = bootstrap_mean(by_image, a["group"])
    p_value = scipy.stats.wilcoxon(by_image.groupby(a["group"]).mean()).pvalue
    assert row["difference"] == pytest.approx(by_image.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected[1:])
    assert row["p_value"] == row["p_adjusted"] == pytest.approx(p_value)
    assert row["win_rate"] == (by_image > 0).mean()
    assert row["n_groups"] == 30
    assert row["verdict"] == "b is better"


@pytest.mark.parametrize(
    ("metric", "verdict", "win_rate"),
    [("psnr", "high is better", 1), ("mse", "low is better", 0)],
)
def test_direction_of_the_metric_decides_who_is_better(metric, verdict, win_rate):
    high = make_scores(noise() + 1, metric=metric)
    low = make_scores(noise(), metric=metric)
    row = only(compare_pairs({"high": high, "low": low}))
    assert row["difference"] == pytest.approx(1)
    assert row["win_rate"] == win_rate
    assert row["verdict"] == verdict


def test_identical_models_do_not_differ():
    scores = make_scores(noise())
    row = only(compare_pairs({"a": scores, "b": scores}))
    assert (row["difference"], row["ci_low"], row["ci_high"]) == (0, 0, 0)
    assert (row["p_value"], row["win_rate"]) == (1, 0.5)
    assert row["verdict"] == "no difference found (the scores are equal)"


def test_rounding_is_no_difference():
    a = make_scores([0.1] * 40)
    b = pd.concat([make_scores([0.1] * 40, replicate=k) for k in range(3)])
    assert np.mean([0.1] * 3) != 0.1
    assert only(compare_pairs({"a": a, "b": b}))["difference"] == 0


def test_verdict_names_what_would_have_been_seen():
    a, b = make_scores(noise(seed=1)), make_scores(noise(seed=2))
    row = only(compare_pairs({"a": a, "b": b}))
    interval = Interval(row["difference"], row["ci_low"], row["ci_high"])
    smallest = minimum_detectable_difference(interval, 1)
    assert row["verdict"] == (
        f"no difference found (smaller than {smallest:.2f} dB would not have been seen)"
    )


def test_models_of_one_quality_are_told_apart_only_by_their_seeds():
    difficulty = noise()

    def trained(seed, quality):
        random = np.random.default_rng(seed)
        return pd.concat(
            make_scores(difficulty + shift + quality, replicate=k)
            for k, shift in enumerate(random.normal(0, 0.5, 3))
        )

    same = [
        only(compare_pairs({"a": trained(s, 0), "b": trained(s + 99, 0)}))["verdict"]
        for s in range(30)
    ]
    assert np.mean([v.startswith("no difference found") for v in same]) > 0.9
    different = compare_pairs({"a": trained(0, 0), "b": trained(99, 5)})
    assert only(different)["verdict"] == "b is better"


def test_claim_needs_both_the_p_value_and_the_interval():
    # Twenty groups a little better, one so much worse that the mean is uncertain.
    differences = np.append(np.linspace(0.1, 0.2, 20), -5)
    a = make_scores(30 + differences, images_per_group=1)
    b = make_scores(np.full(21, 30.0), images_per_group=1)
    row = only(compare_pairs({"a": a, "b": b}))
    assert row["p_adjusted"] < 0.05
    assert row["ci_low"] < 0 < row["ci_high"]
    assert row["verdict"].startswith("no difference found (smaller than")


def test_few_groups_give_difference_and_interval_but_no_verdict():
    values = noise(18)
    row = only(compare_pairs({"a": make_scores(values + 5), "b": make_scores(values)}))
    assert row["n_groups"] == 9
    assert row["verdict"] == TOO_FEW_GROUPS
    np.testing.assert_allclose([row["difference"], row["ci_low"], row["ci_high"]], 5)


def test_one_group_has_no_interval():
    a, b = (make_scores(v, images_per_group=60) for v in (noise(seed=1), noise()))
    row = only(compare_pairs({"a": a, "b": b}))
    assert row[["ci_low", "ci_high", "p_value", "p_adjusted"]].isna().all()
    assert row["verdict"] == TOO_FEW_GROUPS


def test_all_pairs_of_models_with_scores_are_compared_and_corrected():
    scores = {
        name: make_scores(noise(seed=seed)).assign(ssim=noise(seed=seed + 9) / 50)
        for seed, name in enumerate("abc")
    }
    table = compare_pairs({**scores, "missing": NOT_RUN})
    pairs = table[["model_a", "model_b", "metric"]].to_numpy().tolist()
    assert sorted(pairs) == sorted(
        [a, b, metric]
        for a, b in (("a", "b"), ("a", "c"), ("b", "c"))
        for metric in ("psnr", "ssim")
    )
    smallest = table["p_value"].idxmin()
    assert table.loc[smallest, "p_adjusted"] == pytest.approx(
        min(1, 6 * table.loc[smallest, "p_value"])
    )


def test_only_images_that_both_models_have_are_compared():
    values = noise()
    a, b = make_scores(values + 1), make_scores(values)
    b.loc[b.index < 10, "psnr"] = -1000.0
    row = only(compare_pairs({"a": a.iloc[10:], "b": b.sample(frac=1, random_state=0)}))
    assert row["difference"] == pytest.approx(1)
    assert row["n_groups"] == 25


def test_models_without_a_common_image_have_no_difference_to_show():
    scores = make_scores(noise())
    row = only(compare_pairs({"a": scores.iloc[:20], "b": scores.iloc[20:]}))
    assert np.isnan(row["difference"]) and np.isnan(row["win_rate"])
    assert row["n_groups"] == 0
    assert row["verdict"] == TOO_FEW_GROUPS


def test_ties_count_half_and_infinite_ties_too():
    a = make_scores([np.inf, 30, 30, 20])
    b = make_scores([np.inf, 30, 20, 30])
    assert only(compare_pairs({"a": a, "b": b}))["win_rate"] == 0.5
    b.loc[3, "psnr"] = 10
    assert only(compare_pairs({"a": a, "b": b}))["win_rate"] == 0.75


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.drop(columns="group"), "scores of b lack the columns"),
        (lambda s: pd.concat([s, s]), "scores of b hold a pair and replicate twice"),
        (lambda s: s.assign(group="other"), "in more than one group"),
    ],
)
@pytest.mark.parametrize("compare", [compare_models, compare_pairs])
def test_scores_that_do_not_fit_are_refused(compare, spoil, message):
    scores = make_scores(noise())
    with pytest.raises(ValueError, match=message):
        compare({"a": scores, "b": spoil(scores)})


class TestEffects:
    """The 2×2 with planted effects: networks 2 dB apart, the GAN costs the U-Net 1 dB."""

    SHIFTS: ClassVar = {"pix2pix": 1, "unet": 2, "autoencoder": 0, "autoencoder_gan": 0}

    def scores(self, replicates=1, **shifts):
        images = noise(120)
        return {
            model: pd.concat(
                make_scores(
                    images + shift + noise(120, seed=number + 10 * k) / 10 - 2.5,
                    replicate=k,
                )
                for k in range(replicates)
            )
            for number, (model, shift) in enumerate({**self.SHIFTS, **shifts}.items())
        }

    def row(self, table, effect):
        return only(table[table["effect"] == effect])

    def test_planted_effects_are_found(self):
        table = compare_effects(self.scores())
        assert list(table) == EFFECT_COLUMNS
        architecture, adversarial, interaction = (self.row(table, e) for e in EFFECTS)
        assert architecture["difference"] == pytest.approx(1.5, abs=0.1)
        assert architecture["verdict"] == "improves"
        assert adversarial["difference"] == pytest.approx(-0.5, abs=0.1)
        assert adversarial["verdict"] == "harms"
        assert interaction["difference"] == pytest.approx(-1, abs=0.15)
        assert interaction["verdict"] == "depends"
        assert np.isnan(interaction["win_rate"])

    def test_effect_is_a_mean_of_two_differences_of_models(self):
        scores = self.scores(replicates=3)
        pairs = compare_pairs(scores).set_index(["model_a", "model_b"])["difference"]
        row = self.row(compare_effects(scores), "architecture")
        alone = pairs["unet", "autoencoder"]
        with_gan = pairs["pix2pix", "autoencoder_gan"]
        assert row["difference"] == pytest.approx((alone + with_gan) / 2)

    def test_no_effect_where_nothing_was_planted(self):
        shifts = dict.fromkeys(self.SHIFTS, 0)
        table = compare_effects(self.scores(**shifts))
        assert table["verdict"].str.startswith(NO_EFFECT).all()

    def test_seeds_widen_the_interval_by_the_weights(self):
        scores = self.scores(replicates=3)
        once = {
            m: s.groupby(["pair_id", "group"])["psnr"].mean().reset_index()
            for m, s in scores.items()
        }
        once = {m: s.assign(replicate=0) for m, s in once.items()}
        several, alone = (
            self.row(compare_effects(s), "adversarial") for s in (scores, once)
        )
        margins = [
            0.5 * seed_margin(s.groupby("replicate")["psnr"].mean())
            for s in scores.values()
        ]
        expected = widen(
            Interval(alone["difference"], alone["ci_low"], alone["ci_high"]), *margins
        )
        found = several["difference"], several["ci_low"], several["ci_high"]
        assert found == pytest.approx(expected)

    @pytest.mark.parametrize("lost", ["missing", "empty"])
    def test_there_are_none_without_all_four_models(self, lost):
        scores = self.scores()
        if lost == "missing":
            del scores["unet"]
        else:
            scores["unet"] = NOT_RUN
        table = compare_effects(scores)
        assert table.empty
        assert list(table) == EFFECT_COLUMNS


def test_seed_variation_is_shown_apart_from_image_variation():
    images = noise(60)
    scores = pd.concat(make_scores(images + k, replicate=k) for k in range(3))
    row = only(compare_models({"unet": scores}))
    assert row["seed_deviation"] == pytest.approx(1)
    by_group = (images + 1).reshape(-1, 2).mean(axis=1)
    assert row["group_deviation"] == pytest.approx(np.std(by_group, ddof=1))


def test_effect_size_is_in_deviations_of_the_groups_differences():
    first, second = noise(seed=1), noise(seed=2)
    row = only(compare_pairs({"a": make_scores(first), "b": make_scores(second)}))
    by_group = (first - second).reshape(-1, 2).mean(axis=1)
    assert row["effect_size"] == pytest.approx(by_group.mean() / by_group.std(ddof=1))


class TestSets:
    SCORES: ClassVar = {"unet": make_scores(noise()), "pix2pix": NOT_RUN}

    def sets(self, values=(10.0, 12.0, 11.0)):
        rows = [(k, "swd", v, v - 1, v + 1) for k, v in enumerate(values)]
        columns = ["replicate", "metric", "value", "ci_low", "ci_high"]
        frame = pd.DataFrame(rows, columns=columns)
        return {"unet": frame, "pix2pix": frame.head(0)}

    def test_value_is_the_mean_over_replicates_widened_by_the_seeds(self):
        table = compare_sets(self.sets(), self.SCORES)
        assert list(table) == COMPARISON_COLUMNS
        row = table.set_index("model").loc["unet"]
        expected = widen(Interval(11, 10, 12), seed_margin([10, 12, 11]))
        assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
        assert (row["n_images"], row["n_groups"], row["n_replicates"]) == (60, 30, 3)
        assert not row["higher_is_better"]

    def test_model_without_values_keeps_its_row(self):
        row = compare_sets(self.sets(), self.SCORES).set_index("model").loc["pix2pix"]
        assert np.isnan(row["mean"])
        assert row["n_images"] == 0

    def test_distance_is_never_below_nothing(self):
        table = compare_sets(self.sets([0.1, 3.0]), self.SCORES)
        assert table["ci_low"].iloc[0] == 0
