"""Tables of means, verdicts and effects."""

from itertools import combinations
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from image_translation.common.names import BASELINES
from image_translation.metrics import HEADLINES, METRICS, SET_METRICS
from image_translation.statistics import comparison, estimates
from image_translation.statistics.comparison import (
    COMPARISON_COLUMNS,
    EFFECT_COLUMNS,
    EFFECTS,
    EQUAL,
    MIN_GROUPS,
    SIGNIFICANCE,
    TOO_FEW_GROUPS,
    TRAININGS_DIFFER,
    UNDECIDED,
    VERDICT_COLUMNS,
    compare_effects,
    compare_models,
    compare_pairs,
    compare_task,
    correct_for_tasks,
)
from image_translation.statistics.estimates import bootstrap_mean

NOT_RUN = pd.DataFrame(columns=["pair_id", "group", "replicate", *METRICS])

BEGINNINGS = (TOO_FEW_GROUPS, UNDECIDED, EQUAL, TRAININGS_DIFFER)

OLD_VERDICT_COLUMNS = [
    "model_a",
    "model_b",
    "metric",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "win_rate",
    "n_groups",
    "verdict",
    "effect_size",
]


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


def train(images, quality=0.0, *, seed=0, seeds=0.05, replicates=3, **options):
    """Scores of a model: each seed shifts all images, each training adds noise."""
    random = np.random.default_rng(seed)
    own = np.asarray(images) + 0.5 * random.normal(size=len(images)) + quality
    return pd.concat(
        make_scores(
            own + seeds * random.normal() + 0.05 * random.normal(size=len(own)),
            replicate=k,
            **options,
        )
        for k in range(replicates)
    )


def only(table):
    assert len(table) == 1
    return table.iloc[0]


def excludes_0(table):
    """True where both bounds are on the same side of 0."""
    one_side = (table["bound_low"] >= 0) | (table["bound_high"] <= 0)
    return one_side & (table["bound_low"] < table["bound_high"])


def simulate_task(seed, *, images=40, replicates=3, spread=0.6, metrics=HEADLINES):
    """Scores of the 2×2 and the baselines, with random qualities."""
    random = np.random.default_rng(seed)
    difficulty = random.normal(size=images)
    names = ("autoencoder", "unet", "pix2pix", "autoencoder_gan", *BASELINES)
    scores = {}
    for name in names:
        number = 1 if name in BASELINES else replicates
        quality = spread * random.normal()
        state = int(random.integers(2**32))
        frames = [
            train(difficulty, quality, seed=state + m, replicates=number, metric=metric)
            for m, metric in enumerate(metrics)
        ]
        scores[name] = frames[0].assign(
            **{m: f[m].to_numpy() for m, f in zip(metrics, frames, strict=True)}
        )
    return scores


class TestModels:
    def test_comparison_has_a_row_per_model_and_metric(self):
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

    def test_mean_is_over_replicates_then_over_images(self):
        first, second = noise(seed=1), noise(seed=2)
        frames = [make_scores(first), make_scores(second, replicate=1)]
        scores = pd.concat(frames)
        row = only(compare_models({"unet": scores}))
        assert row["mean"] == pytest.approx((first + second).mean() / 2)
        expected = bootstrap_mean(scores["psnr"], scores["group"], scores["replicate"])
        assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
        assert (row["n_images"], row["n_replicates"]) == (60, 2)

    def test_seed_variance_is_pooled_over_models_without_baselines(self):
        calm = {name: train(noise(), seed=s) for s, name in enumerate("ab")}
        wild = train(noise(), seed=9, seeds=3.0)
        alone, with_wild, with_baseline = (
            compare_models(scores).set_index("model").loc["a"]
            for scores in (calm, {**calm, "c": wild}, {**calm, "copy_input": wild})
        )
        width = alone["ci_high"] - alone["ci_low"]
        assert with_wild["ci_high"] - with_wild["ci_low"] > 1.5 * width
        assert with_baseline["ci_high"] - with_baseline["ci_low"] == width

    def test_deviations_of_seeds_and_groups_are_separate_columns(self):
        images = noise()
        scores = pd.concat(make_scores(images + k, replicate=k) for k in range(3))
        row = only(compare_models({"unet": scores}))
        assert row["seed_deviation"] == pytest.approx(1)
        by_group = (images + 1).reshape(-1, 2).mean(axis=1)
        assert row["group_deviation"] == pytest.approx(np.std(by_group, ddof=1))

    def test_model_without_scores_keeps_empty_rows(self, caplog):
        table = compare_models({"unet": make_scores(noise()), "pix2pix": NOT_RUN})
        row = table.set_index("model").loc["pix2pix"]
        assert row[["mean", "ci_low", "ci_high"]].isna().all()
        assert row[["n_images", "n_groups", "n_replicates"]].eq(0).all()
        assert caplog.messages == ["pix2pix has no scores; its rows are empty"]

    def test_models_keep_their_rows_if_none_has_scores(self):
        scores = {"unet": NOT_RUN, "pix2pix": pd.DataFrame()}
        table = compare_models(scores)
        assert len(table) == 2 * len(METRICS)
        assert table["mean"].isna().all()
        verdicts, effects = compare_pairs(scores), compare_effects(scores)
        assert verdicts.empty and list(verdicts) == VERDICT_COLUMNS
        assert effects.empty and list(effects) == EFFECT_COLUMNS
        assert compare_models({}).empty

    def test_infinite_psnr_counts_as_100_decibels(self):
        values = noise()
        values[0] = np.inf
        row = only(compare_models({"unet": make_scores(values)}))
        assert row["mean"] == pytest.approx((values[1:].sum() + 100) / 60)
        assert np.isfinite([row["ci_low"], row["ci_high"]]).all()
        scores = {"unet": make_scores(values), "pix2pix": make_scores(values + 1)}
        row = only(compare_pairs(scores))
        assert row["difference"] == pytest.approx(-59 / 60)

    def test_image_that_lacks_a_score_in_one_replicate_is_ignored(self, caplog):
        values = noise()
        lacking = np.where(np.arange(60) < 4, np.nan, values)
        scores = pd.concat([make_scores(values), make_scores(lacking, replicate=1)])
        row = only(compare_models({"unet": scores}))
        assert (row["n_images"], row["n_groups"]) == (56, 28)
        assert row["mean"] == pytest.approx(values[4:].mean())
        assert "unet: ignoring 4 images for psnr" in caplog.text

    def test_column_of_a_set_metric_is_compared(self):
        columns = {"spectrum_distance": noise(), "swd_32": noise()}
        scores = {
            name: train(noise(), shift, seed=number).assign(
                **{c: np.tile(v, 3) + shift for c, v in columns.items()}
            )
            for number, (name, shift) in enumerate({"a": 0, "b": 3}.items())
        }
        table = compare_models(scores)
        assert table["metric"].unique().tolist() == [
            "psnr",
            "swd_32",
            "spectrum_distance",
        ]
        verdicts = compare_pairs(scores).set_index("metric")["verdict"]
        # A level of the pyramid is reported, but not tested.
        assert verdicts.to_dict() == {
            "psnr": "b is better",
            "spectrum_distance": "a is better",
        }
        assert "swd_32" in SET_METRICS


class TestPairs:
    def test_single_pair_is_tested_like_the_paired_t_test(self):
        difficulty = noise()
        a = make_scores(difficulty + 0.1)
        b = make_scores(difficulty + noise(seed=1) / 50)
        table = compare_pairs({"copy_input": a, "unet": b})
        assert list(table) == VERDICT_COLUMNS
        row = only(table)
        by_image = a["psnr"] - b["psnr"]
        by_group = by_image.groupby(a["group"]).mean()
        expected = bootstrap_mean(by_image, a["group"])
        assert row["difference"] == pytest.approx(by_image.mean())
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected[1:])
        assert row["p_value"] == pytest.approx(
            scipy.stats.ttest_1samp(by_group, 0).pvalue
        )
        # A single test needs no correction; only the p-value is a share of draws.
        assert row["p_adjusted"] == pytest.approx(1 / 5_000)
        assert row["win_rate"] == (by_image > 0).mean()
        assert row["n_groups"] == 30
        assert row["n_tests"] == 1
        assert row["effect_size"] == pytest.approx(by_group.mean() / by_group.std())

    def test_old_columns_come_first(self):
        assert VERDICT_COLUMNS[: len(OLD_VERDICT_COLUMNS)] == OLD_VERDICT_COLUMNS
        assert EFFECT_COLUMNS == ["effect", *VERDICT_COLUMNS[2:]]

    @pytest.mark.parametrize(
        ("metric", "verdict", "win_rate"),
        [("psnr", "high is better", 1), ("mse", "low is better", 0)],
    )
    @pytest.mark.parametrize("first", ["high", "low"])
    def test_direction_of_the_metric_determines_the_better_model(
        self, metric, verdict, win_rate, first
    ):
        scores = {
            "high": train(noise(), 3, seed=1, metric=metric),
            "low": train(noise(), seed=2, metric=metric),
        }
        second = "low" if first == "high" else "high"
        row = only(compare_pairs({m: scores[m] for m in (first, second)}))
        assert (row["model_a"], row["model_b"]) == (first, second)
        assert (row["difference"] > 0) == (first == "high")
        assert row["win_rate"] == (win_rate if first == "high" else 1 - win_rate)
        assert row["verdict"] == verdict

    def test_constant_difference_is_claimed_with_ten_groups(self):
        images = noise(20)
        a, b = (
            pd.concat(make_scores(images + shift, replicate=k) for k in range(3))
            for shift in (0.5, 0)
        )
        row = only(compare_pairs({"a": a, "b": b}))
        assert row["n_groups"] == MIN_GROUPS
        assert row["verdict"] == "a is better"
        assert row["effect_size"] == np.inf
        fields = row[["difference", "ci_low", "ci_high", "bound_low", "bound_high"]]
        np.testing.assert_allclose(fields.to_numpy(float), 0.5)
        assert row["detectable_difference"] == 0

    def test_difference_of_16_decibels_is_claimed_with_twelve_photographs(self):
        images = 20 + np.random.default_rng(0).normal(0, 2, 12)
        scores = {
            "unet": train(images, 16, images_per_group=1),
            "pix2pix": train(images, 16, seed=1, images_per_group=1),
            "copy_input": make_scores(images, images_per_group=1),
            "mean_target": make_scores(images[::-1] - 1, images_per_group=1),
        }
        scores = {
            model: frame.assign(
                **{
                    m: (
                        frame["psnr"] if METRICS[m].higher_is_better else -frame["psnr"]
                    )
                    for m in METRICS
                }
            )
            for model, frame in scores.items()
        }
        table = compare_pairs(scores)
        against = table["model_b"].isin(BASELINES)
        assert against.sum() == 4 * len(METRICS)
        expected = table["model_a"] + " is better"
        assert table.loc[against, "verdict"].equals(expected[against])

    def test_few_groups_give_difference_and_interval_but_no_verdict(self):
        values = noise(18)
        scores = {"a": make_scores(values + 5), "b": make_scores(values)}
        row = only(compare_pairs(scores, failed=["a"]))
        assert row["n_groups"] == MIN_GROUPS - 1
        assert row["verdict"] == TOO_FEW_GROUPS
        np.testing.assert_allclose(
            [row["difference"], row["ci_low"], row["ci_high"]], 5
        )

    @pytest.mark.parametrize("groups", [2, 3, 6])
    def test_groups_too_few_for_any_claim_have_no_bounds(self, groups):
        scores = {
            "a": make_scores(noise(2 * groups)),
            "b": make_scores([20] * 2 * groups),
        }
        row = only(compare_pairs(scores))
        assert row["p_adjusted"] > SIGNIFICANCE or groups > 5
        for constant in (0.0, 1.0):
            b = scores["a"].assign(psnr=scores["a"]["psnr"] - constant)
            row = only(compare_pairs({"a": scores["a"], "b": b}))
            assert (
                not row[["bound_low", "bound_high", "detectable_difference"]]
                .isna()
                .any()
            )

    def test_one_group_has_no_interval(self):
        a, b = (make_scores(v, images_per_group=60) for v in (noise(seed=1), noise()))
        row = only(compare_pairs({"a": a, "b": b}))
        empty = [
            "ci_low",
            "ci_high",
            "p_value",
            "p_adjusted",
            "bound_low",
            "effect_size",
        ]
        assert row[empty].isna().all()
        assert row["verdict"] == TOO_FEW_GROUPS
        assert row["n_tests"] == 0

    def test_all_pairs_of_models_with_scores_are_compared(self):
        table = compare_pairs({**simulate_task(0), "missing": NOT_RUN})
        models = ("autoencoder", "unet", "pix2pix", "autoencoder_gan", *BASELINES)
        expected = [
            (a, b, metric)
            for a, b in combinations(models, 2)
            for metric in HEADLINES
            if (a, b) != BASELINES
        ]
        found = table[["model_a", "model_b", "metric"]].itertuples(
            index=False, name=None
        )
        assert sorted(found) == sorted(expected)

    def test_only_common_images_are_compared(self):
        values = noise()
        a, b = make_scores(values + 1), make_scores(values)
        b.loc[b.index < 10, "psnr"] = -1000.0
        scores = {"a": a.iloc[10:], "b": b.sample(frac=1, random_state=0)}
        row = only(compare_pairs(scores))
        assert row["difference"] == pytest.approx(1)
        assert row["n_groups"] == 25

    def test_models_with_different_images_are_corrected_jointly(self):
        scores = {
            m: train(noise(), q, seed=s)
            for s, (m, q) in enumerate({"a": 0, "b": 1, "c": 1.2}.items())
        }
        scores["c"] = scores["c"][scores["c"]["pair_id"] >= f"{20:016x}"]
        table = compare_pairs(scores)
        assert table["n_groups"].tolist() == [30, 20, 20]
        assert table["n_tests"].eq(3).all()
        alone = compare_pairs({m: scores[m] for m in "ac"})
        pair = table[table["model_b"].eq("c") & table["model_a"].eq("a")]
        assert only(pair)["difference"] == pytest.approx(only(alone)["difference"])
        assert table["verdict"].tolist()[:2] == ["b is better", "c is better"]

    def test_models_without_common_images_have_no_difference(self):
        scores = make_scores(noise())
        row = only(compare_pairs({"a": scores.iloc[:20], "b": scores.iloc[20:]}))
        assert np.isnan(row["difference"]) and np.isnan(row["win_rate"])
        assert np.isnan(row["effect_size"])
        assert row["n_groups"] == 0
        assert row["verdict"] == TOO_FEW_GROUPS

    def test_ties_count_half_and_infinite_ties_too(self):
        a = make_scores([np.inf, 30, 30, 20])
        b = make_scores([np.inf, 30, 20, 30])
        assert only(compare_pairs({"a": a, "b": b}))["win_rate"] == 0.5
        b.loc[3, "psnr"] = 10
        assert only(compare_pairs({"a": a, "b": b}))["win_rate"] == 0.75

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda s: s.drop(columns="group"), "scores of b lack the columns"),
            (
                lambda s: pd.concat([s, s]),
                "scores of b contain a pair and replicate twice",
            ),
            (lambda s: s.assign(group="other"), "in more than one group"),
        ],
    )
    @pytest.mark.parametrize("compare", [compare_models, compare_pairs])
    def test_invalid_scores_are_rejected(self, compare, spoil, message):
        scores = make_scores(noise())
        with pytest.raises(ValueError, match=message):
            compare({"a": scores, "b": spoil(scores)})

    @pytest.mark.parametrize(
        ("sizes", "values"),
        [
            # RIGOR's cases: most groups say the opposite of the mean over images.
            ([1] * 60 + [8] * 40, [-1.0] * 60 + [0.8] * 40),
            ([1] * 148, [3.0] * 22 + [-0.25] * 126),
        ],
    )
    def test_whole_row_refers_to_the_mean_over_images(self, sizes, values):
        random = np.random.default_rng(0)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        differences = np.array(values)[groups] + 0.1 * random.normal(size=len(groups))
        images = random.normal(25, 2, len(groups))
        a = make_scores(images + differences).assign(group=groups)
        b = make_scores(images).assign(group=groups)
        row = only(compare_pairs({"copy_input": a, "mean": b}))
        assert row["difference"] == pytest.approx(differences.mean())
        assert row["ci_low"] < row["difference"] < row["ci_high"]
        assert np.sign(row["effect_size"]) == np.sign(row["difference"]) == 1
        assert (row["ci_low"] > 0) == (row["p_value"] < 0.05)
        if row["p_adjusted"] < SIGNIFICANCE:
            assert row["bound_low"] >= 0


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rows_give_the_same_bytes(seed):
    scores = simulate_task(seed)
    shuffled = {m: s.sample(frac=1, random_state=seed) for m, s in scores.items()}
    once, again, other = (compare_task(s) for s in (scores, scores, shuffled))
    for name in once._fields:
        text = getattr(once, name).to_csv()
        assert text == getattr(again, name).to_csv() == getattr(other, name).to_csv()


def test_compare_task_returns_the_three_tables():
    scores = simulate_task(0)
    margins = {"psnr": 9.0, "mse": None}
    found = compare_task(scores, margins=margins, failed=["unet"])
    options = {"margins": margins, "failed": ["unet"]}
    pd.testing.assert_frame_equal(found.comparison, compare_models(scores))
    pd.testing.assert_frame_equal(found.verdicts, compare_pairs(scores, **options))
    pd.testing.assert_frame_equal(found.effects, compare_effects(scores, **options))


class TestWords:
    def test_verdict_is_a_claim_or_has_one_of_four_beginnings(self):
        verdicts = pd.concat(
            compare_pairs(
                simulate_task(seed, replicates=replicates, images=images),
                margins={"psnr": 1.0},
                failed=failed,
            )
            for seed in range(2)
            for replicates in (1, 3)
            for images in (12, 40)
            for failed in ((), ("unet",))
        )
        claims = verdicts["verdict"].str.endswith(" is better")
        known = verdicts["verdict"].str.startswith(BEGINNINGS)
        assert (claims != known).all()
        assert {
            claim.removesuffix(" is better") for claim in verdicts["verdict"][claims]
        }
        assert (
            verdicts["verdict"][claims]
            .isin({f"{model} is better" for model in simulate_task(0)})
            .all()
        )
        for beginning in BEGINNINGS:
            assert verdicts["verdict"].str.startswith(beginning).any()

    def test_exactly_equal_scores(self):
        scores = pd.concat(make_scores(noise(), replicate=k) for k in range(3))
        row = only(compare_pairs({"a": scores, "b": scores}))
        assert (row["difference"], row["ci_low"], row["ci_high"]) == (0, 0, 0)
        assert (row["p_value"], row["win_rate"], row["effect_size"]) == (1, 0.5, 0)
        assert row["verdict"] == "practically equal (the scores are equal)"
        # The variation between trainings is unknown.
        one = make_scores(noise())
        assert only(compare_pairs({"a": one, "b": one}))["verdict"] == (
            "undecided (these trainings are practically equal: the scores are equal)"
        )

    def test_rounding_errors_are_not_a_difference(self):
        a = make_scores([0.1] * 40)
        b = pd.concat([make_scores([0.1] * 40, replicate=k) for k in range(3)])
        assert only(compare_pairs({"a": a, "b": b}))["difference"] == 0

    def test_verdict_with_one_training_each_refers_to_these_trainings(self):
        scores = {
            m: train(noise(), q, seed=q, replicates=1)
            for m, q in {"a": 0, "b": 9}.items()
        }
        assert only(compare_pairs(scores))["verdict"] == TRAININGS_DIFFER
        scores["a"] = train(noise(), 0)
        assert only(compare_pairs(scores))["verdict"] == TRAININGS_DIFFER
        scores["b"] = train(noise(), 9)
        assert only(compare_pairs(scores))["verdict"] == "b is better"

    @pytest.mark.parametrize("baseline", BASELINES)
    def test_baseline_needs_no_second_training(self, baseline):
        scores = {baseline: train(noise(), 9, replicates=1), "unet": train(noise())}
        assert only(compare_pairs(scores))["verdict"] == f"{baseline} is better"
        scores["unet"] = train(noise(), replicates=1)
        assert only(compare_pairs(scores))["verdict"] == TRAININGS_DIFFER

    def test_failed_model_gets_no_verdict(self):
        scores = {
            m: train(noise(), q, seed=q) for m, q in {"a": 0, "b": 9, "c": 4}.items()
        }
        verdicts = compare_pairs(scores, failed=["b"])["verdict"].tolist()
        failed = "undecided (a training of b failed)"
        assert verdicts == [failed, "c is better", failed]

    def test_margin_determines_practical_equality(self):
        scores = {m: train(noise(), seed=s, seeds=0.01) for s, m in enumerate("ab")}
        row = only(compare_pairs(scores))
        largest = max(-row["bound_low"], row["bound_high"])
        assert METRICS["psnr"].margin < largest < 1
        found = {
            margin: only(compare_pairs(scores, margins={"psnr": margin}))["verdict"]
            for margin in (1.0, largest, largest * 0.999, None)
        }
        assert found[1.0] == "practically equal (within ±1 dB)"
        assert found[largest].startswith("practically equal (within ±0.")
        undecided = f"{UNDECIDED} (a true difference of "
        assert found[largest * 0.999].startswith(undecided)
        assert found[None] == row["verdict"] and found[None].startswith(undecided)
        one = {m: s[s["replicate"] == 0] for m, s in scores.items()}
        assert only(compare_pairs(one, margins={"psnr": 1.0}))["verdict"] == (
            "undecided (these trainings are practically equal: within ±1 dB)"
        )

    def test_margin_of_the_metric_is_the_default(self):
        images = noise(400)
        scores = {
            m: make_scores(images + noise(400, s) / 200) for s, m in enumerate("ab")
        }
        scores = {
            m: pd.concat(s.assign(replicate=k) for k in range(3))
            for m, s in scores.items()
        }
        assert only(compare_pairs(scores))["verdict"] == (
            "practically equal (within ±0.25 dB)"
        )

    def test_undecided_states_the_detectable_difference(self):
        scores = {m: train(noise(), seed=s) for s, m in enumerate("ab")}
        row = only(compare_pairs(scores))
        size = row["detectable_difference"]
        assert row["verdict"] == (
            f"undecided (a true difference of {size:.2g} dB would be found in four cases "
            "out of five)"
        )
        by_group = sum(
            sign * s.groupby(["group"])["psnr"].mean()
            for sign, s in zip((1, -1), scores.values(), strict=True)
        )
        # At least the difference detectable by a t test without seeds.
        alone = by_group.std() / 30**0.5 * (2.05 + 0.85)
        assert alone < size < 1.6 * alone

    def test_detectable_difference_is_found_with_80_percent_power(self, monkeypatch):
        monkeypatch.setattr(estimates, "DRAWS", 499)
        random = np.random.default_rng(0)

        def compare(quality):
            images = random.normal(size=30)
            scores = {
                model: make_scores(
                    images + random.normal(size=30) + shift, images_per_group=1
                )
                for model, shift in {"copy_input": quality, "unet": 0}.items()
            }
            return only(compare_pairs(scores))

        size = np.mean([compare(0)["detectable_difference"] for _ in range(20)])
        found = [compare(size)["p_adjusted"] < SIGNIFICANCE for _ in range(100)]
        assert np.mean(found) == pytest.approx(0.8, abs=0.12)


class TestCorrection:
    @pytest.mark.parametrize("seed", range(8))
    def test_claims_agree_with_bounds_that_exclude_0(self, seed):
        found = compare_task(simulate_task(seed, spread=0.3))
        claims = 0
        for table in (found.verdicts, found.effects):
            claimed = table["p_adjusted"] < SIGNIFICANCE
            assert (claimed == excludes_0(table)).all()
            assert (table["bound_low"] <= table["difference"]).all()
            assert (table["bound_high"] >= table["difference"]).all()
            claims += claimed.sum()
        assert 0 < claims < len(found.verdicts) + len(found.effects)

    def test_primary_family_is_the_study_and_the_main_effects(self):
        found = compare_task(simulate_task(0, metrics=(*HEADLINES, "mae")))
        primary = found.verdicts[found.verdicts["family"] == "primary"]
        assert primary[
            ["model_a", "model_b"]
        ].drop_duplicates().to_numpy().tolist() == [["autoencoder", "pix2pix"]]
        assert set(primary["metric"]) == set(HEADLINES)
        effects = found.effects[found.effects["family"] == "primary"]
        assert set(effects["effect"]) == {"architecture", "adversarial"}
        assert set(effects["metric"]) == set(HEADLINES)
        both = pd.concat([found.verdicts, found.effects])
        assert both["family"].isin(["primary", "secondary"]).all()
        sizes = both["family"].value_counts()
        assert sizes["primary"] == 9
        for family, table in both.groupby("family"):
            assert table["n_tests"].eq(sizes[family]).all()

    def test_single_family_gets_the_whole_error(self):
        images = noise()
        one = {m: train(images, q, seed=q) for m, q in {"unet": 0, "other": 1}.items()}
        study = {"pix2pix": one["unet"], "autoencoder": one["other"]}
        secondary, primary = only(compare_pairs(one)), only(compare_pairs(study))
        assert (secondary["family"], primary["family"]) == ("secondary", "primary")
        assert secondary["bound_low"] > primary["bound_low"]
        assert primary["p_adjusted"] == pytest.approx(2 * secondary["p_adjusted"])

    def correct(self, statistics, families):
        """Corrected values of given statistics, independent under the hypothesis."""
        number = len(statistics)
        statistic = np.array(statistics, dtype=float)
        random = np.random.default_rng(0)
        found = estimates.Estimates(
            value=statistic,
            error=np.ones(number),
            df=np.full(number, 1e6),
            low=statistic,
            high=statistic,
            group_deviation=np.ones(number),
            n_groups=np.full(number, 50),
            p_value=2 * scipy.stats.norm.sf(np.abs(statistic)),
            statistic=statistic,
            reference=random.standard_normal((4_999, number)).astype(np.float32),
        )
        return pd.DataFrame(comparison._correct(np.array(families), found))

    @pytest.mark.parametrize(
        ("primary", "claimed"), [((9.0, 9.0), True), ((9.0, 1.0), False)]
    )
    def test_secondary_family_inherits_unspent_error(self, primary, claimed):
        # p = 0.034: below 0.05, above its half.
        table = self.correct([*primary, 2.12], ["primary", "primary", "secondary"])
        row = table.iloc[2]
        assert (row["p_adjusted"] < SIGNIFICANCE) == claimed
        expected = 0.034 if claimed else 0.068
        assert row["p_adjusted"] == pytest.approx(expected, rel=0.15)
        level = 0.05 if claimed else 0.025
        width = scipy.stats.norm.isf(level / 2)
        assert row["bound_high"] - 2.12 == pytest.approx(width, rel=0.03)

    def test_secondary_p_value_is_at_least_that_of_the_primary_family(self):
        # With inherited error, it is claimed with the last one of the primary family.
        table = self.correct([2.5, 2.2], ["primary", "secondary"])
        assert table["p_adjusted"][0] == pytest.approx(2 * 0.0124, rel=0.2)
        assert table["p_adjusted"][1] == pytest.approx(0.0278, rel=0.2)
        table = self.correct([2.29, 2.5], ["primary", "secondary"])
        assert table["p_adjusted"][1] == pytest.approx(2 * 0.0124, rel=0.2)
        table = self.correct([2.26, 2.0], ["primary", "secondary"])
        assert table["p_adjusted"][0] > SIGNIFICANCE
        assert table["p_adjusted"][1] == table["p_adjusted"][0]

    def test_primary_family_gets_half_of_the_error(self):
        # 2.30 has p = 0.021, 2.12 has 0.034.
        for statistic, claimed in ((2.4, True), (2.12, False)):
            table = self.correct([statistic, 0.5], ["primary", "secondary"])
            assert (table["p_adjusted"][0] < SIGNIFICANCE) == claimed

    def test_claims_of_later_steps_have_a_bound_of_0(self):
        table = self.correct([*[9.0] * 30, 2.3, -2.3, 0.4], ["secondary"] * 33)
        # 33 at once: 3.2 errors; 3 that are left: 2.4; the last one: 1.96.
        width = table["bound_high"][0] - 9
        assert width == pytest.approx(scipy.stats.norm.isf(0.05 / 66), rel=0.05)
        table = self.correct([*[9.0] * 30, 2.6, -2.6, 0.4], ["secondary"] * 33)
        assert table["bound_low"][30] == 0 < table["bound_high"][30]
        assert table["bound_high"][31] == 0 > table["bound_low"][31]
        assert table["bound_low"][32] == pytest.approx(0.4 - width)
        assert table["p_adjusted"][32] > SIGNIFICANCE
        # The last step finds the remaining difference.
        assert table["detectable_difference"][32] == pytest.approx(
            1.96 + 0.84, rel=0.03
        )

    def test_bounds_are_simultaneous_if_nearly_all_models_differ(self):
        """The critical values of later steps alone would fail in most cases."""
        random = np.random.default_rng(0)
        missed = []
        for _ in range(40):
            truth = np.full(60, 4.5)
            table = self.correct(truth + random.normal(size=60), ["secondary"] * 60)
            missed.append(
                ((table["bound_low"] > truth) | (table["bound_high"] < truth)).any()
            )
        assert np.mean(missed) < 0.2

    def test_correction_for_tasks_divides_the_error(self):
        table = pd.DataFrame(
            {
                "p_adjusted": [0.004, 0.02, 0.3, 0.02, np.nan, 0.02],
                "verdict": [
                    "a is better",
                    "b is better",
                    "practically equal (within ±1 dB)",
                    "these trainings differ",
                    TOO_FEW_GROUPS,
                    "undecided (a training of a failed)",
                ],
            }
        )
        lost = "undecided (no longer claimed when 5 tasks are read together)"
        corrected = correct_for_tasks(table, 5)
        np.testing.assert_allclose(
            corrected["p_adjusted"], [0.02, 0.1, 1, 0.1, np.nan, 0.1]
        )
        found = table["verdict"].tolist()
        assert corrected["verdict"].tolist() == [
            found[0],
            lost,
            found[2],
            lost,
            found[4],
            found[5],
        ]
        pd.testing.assert_frame_equal(correct_for_tasks(table, 1), table)


class TestErrors:
    """Simulated scores with a known truth; a short form of benchmarks/verdicts.py."""

    @pytest.fixture(autouse=True)
    def few_draws(self, monkeypatch):
        monkeypatch.setattr(estimates, "DRAWS", 999)

    def simulate(self, seed, *, images=40, replicates=3, seeds=0.3, gain=0.0):
        images = np.random.default_rng(seed).normal(size=images)
        scores = {}
        for model in range(4):
            quality = gain * (model == 0)
            frames = [
                train(
                    images,
                    quality * (1 if METRICS[metric].higher_is_better else -1),
                    seed=(seed, model, number),
                    seeds=seeds,
                    replicates=replicates,
                    images_per_group=1,
                    metric=metric,
                )
                for number, metric in enumerate(HEADLINES)
            ]
            scores[f"model {model}"] = frames[0].assign(
                **{m: f[m].to_numpy() for m, f in zip(HEADLINES, frames, strict=True)}
            )
        return scores

    @pytest.mark.parametrize(("images", "seeds"), [(12, 0.1), (40, 0.3)])
    def test_equal_models_are_rarely_claimed_to_differ(self, images, seeds):
        tasks = [self.simulate(s, images=images, seeds=seeds) for s in range(30)]
        wrong = sum(
            compare_pairs(task)["verdict"].str.endswith("is better").any()
            for task in tasks
        )
        assert wrong <= scipy.stats.binom.ppf(0.999, 30, 0.05)

    def test_simulated_difference_is_found(self):
        found = []
        for seed in range(5):
            table = compare_pairs(self.simulate(seed, seeds=0.1, gain=1.5))
            better = table["verdict"] == "model 0 is better"
            true = table["model_a"] == "model 0"
            assert not table["verdict"][~true].str.endswith("is better").all()
            found.append(better[true].mean())
        assert np.mean(found) > 0.9

    def test_one_training_each_never_yields_a_better_model(self):
        table = compare_pairs(self.simulate(0, replicates=1, seeds=3.0))
        assert (table["verdict"] == TRAININGS_DIFFER).any()
        assert not table["verdict"].str.endswith("is better").any()


class TestEffects:
    """The 2×2 with simulated effects: 2 dB between networks, -1 dB by the GAN (U-Net)."""

    SHIFTS: ClassVar = {"pix2pix": 1, "unet": 2, "autoencoder": 0, "autoencoder_gan": 0}

    def scores(self, replicates=3, metric="psnr", **shifts):
        images = noise(120)
        return {
            model: train(
                images,
                shift,
                seed=number,
                seeds=0.02,
                replicates=replicates,
                metric=metric,
            )
            for number, (model, shift) in enumerate({**self.SHIFTS, **shifts}.items())
        }

    def row(self, table, effect):
        return only(table[table["effect"] == effect])

    def test_simulated_effects_are_found(self):
        table = compare_effects(self.scores())
        assert list(table) == EFFECT_COLUMNS
        architecture, adversarial, interaction = (self.row(table, e) for e in EFFECTS)
        assert architecture["difference"] == pytest.approx(1.5, abs=0.15)
        assert architecture["verdict"] == "improves"
        assert adversarial["difference"] == pytest.approx(-0.5, abs=0.15)
        assert adversarial["verdict"] == "harms"
        assert interaction["difference"] == pytest.approx(-1, abs=0.3)
        assert interaction["verdict"] == "depends"
        assert np.isnan(interaction["win_rate"])
        assert architecture["win_rate"] > 0.9
        assert adversarial["win_rate"] < 0.3

    def test_direction_of_the_metric_determines_improvement(self):
        table = compare_effects(self.scores(metric="mse"))
        assert self.row(table, "architecture")["verdict"] == "harms"
        assert self.row(table, "adversarial")["verdict"] == "improves"

    def test_effects_by_hand(self):
        scores = self.scores()
        mean = {m: s["psnr"].mean() for m, s in scores.items()}
        gain = mean["pix2pix"] - mean["unet"]
        other = mean["autoencoder_gan"] - mean["autoencoder"]
        network = mean["unet"] - mean["autoencoder"]
        with_gan = mean["pix2pix"] - mean["autoencoder_gan"]
        table = compare_effects(scores).set_index("effect")["difference"]
        assert table["adversarial"] == pytest.approx((gain + other) / 2)
        assert table["architecture"] == pytest.approx((network + with_gan) / 2)
        assert table["interaction"] == pytest.approx(gain - other)

    def test_no_effect_is_claimed_without_a_simulated_effect(self):
        shifts = dict.fromkeys(self.SHIFTS, 0)
        table = compare_effects(self.scores(**shifts))
        assert table["verdict"].str.startswith((UNDECIDED, EQUAL)).all()

    def test_no_effect_is_claimed_with_one_or_a_failed_training(self):
        table = compare_effects(self.scores(replicates=1))
        assert (table["verdict"] == TRAININGS_DIFFER).all()
        table = compare_effects(self.scores(), failed=["autoencoder"])
        assert (
            table["verdict"] == "undecided (a training of autoencoder failed)"
        ).all()

    @pytest.mark.parametrize("lost", ["missing", "empty"])
    def test_effects_require_all_four_models(self, lost):
        scores = self.scores()
        if lost == "missing":
            del scores["unet"]
        else:
            scores["unet"] = NOT_RUN
        table = compare_effects(scores)
        assert table.empty
        assert list(table) == EFFECT_COLUMNS


def test_interval_is_clipped_to_the_range_of_the_metric():
    scores = make_scores([0.0, 0.01, 0.2], images_per_group=1, metric="mse")
    row = compare_models({"unet": scores}).set_index("metric").loc["mse"]
    assert row["ci_low"] == 0
    assert 0.07 < row["ci_high"] < 1
