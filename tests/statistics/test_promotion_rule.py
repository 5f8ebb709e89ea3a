import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from image_translation.statistics import promotion_rule as promotion
from image_translation.statistics.promotion_rule import (
    ERROR,
    LATE_EPOCHS,
    Candidate,
    choose_best,
    decide_promotion,
    format_probability,
    late_mean,
    spend,
    unspent,
)
from image_translation.statistics.settings import PromotionSettings

SETTINGS = PromotionSettings(metric="psnr", guard="ssim", margin=0.02)


def scores(groups=20, psnr=0.0, ssim=0.0, seed=0, noise=0.1):
    """Three images per group; ``psnr`` and ``ssim`` are shifts of a common part."""
    images = 3 * groups
    common, own = np.random.default_rng(7), np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "pair_id": [f"{number:04x}" for number in range(images)],
            "group": np.repeat([f"photo {number}" for number in range(groups)], 3),
            "replicate": 0,
            "psnr": 24
            + common.normal(0, 2, images)
            + psnr
            + own.normal(0, noise, images),
            "ssim": 0.8
            + common.normal(0, 0.05, images)
            + ssim
            + own.normal(0, noise / 50, images),
        }
    )


CHAMPION = scores(seed=1)


def test_better_challenger_is_promoted():
    decision = decide_promotion(scores(psnr=1.0, seed=2), CHAMPION, SETTINGS)
    assert decision.is_promoted
    assert decision.metric.difference == pytest.approx(1.0, abs=0.1)
    assert decision.metric.ci_low < 1.0 < decision.metric.ci_high
    assert decision.metric.n_groups == 20
    assert decision.metric.n_images == 60


def test_equal_challenger_is_not_promoted():
    decision = decide_promotion(CHAMPION, CHAMPION, SETTINGS)
    assert not decision.is_promoted
    assert "equal" in decision.reason


def test_challenger_that_differs_by_chance_is_not_promoted():
    decision = decide_promotion(scores(seed=3), CHAMPION, SETTINGS)
    assert not decision.is_promoted
    assert "not ahead" in decision.reason or "not shown" in decision.reason


def test_worse_challenger_is_not_promoted():
    decision = decide_promotion(scores(psnr=-1.0, seed=2), CHAMPION, SETTINGS)
    assert not decision.is_promoted
    assert "these weights are not ahead" in decision.reason


def test_challenger_that_wins_the_metric_but_breaks_the_guard_is_not_promoted():
    challenger = scores(psnr=1.0, ssim=-0.05, seed=2)
    decision = decide_promotion(challenger, CHAMPION, SETTINGS)
    assert not decision.is_promoted
    assert "psnr: these weights are better" in decision.reason
    assert "ssim may be worse by 0.05" in decision.reason


def test_guard_may_get_worse_within_its_margin():
    challenger = scores(psnr=1.0, ssim=-0.01, seed=2)
    assert decide_promotion(challenger, CHAMPION, SETTINGS).is_promoted


def test_guard_with_an_interval_beyond_the_margin_fails():
    """The mean is within the margin, but its interval is not."""
    challenger = scores(psnr=3.0, ssim=-0.015, seed=2, noise=3)
    decision = decide_promotion(challenger, CHAMPION, SETTINGS)
    assert decision.guard.difference > -SETTINGS.margin > decision.guard.ci_low
    assert not decision.is_promoted


@pytest.mark.parametrize(("shift", "is_promoted"), [(-0.002, True), (0.002, False)])
def test_metric_where_lower_is_better(shift, is_promoted):
    settings = PromotionSettings(metric="mse", guard="ssim", margin=0.02)
    champion = CHAMPION.rename(columns={"psnr": "mse"}).assign(mse=0.01)
    challenger = champion.assign(mse=0.01 + shift + np.linspace(0, 1e-4, 60))
    assert decide_promotion(challenger, champion, settings).is_promoted is is_promoted


def test_guard_where_lower_is_better():
    settings = PromotionSettings(metric="psnr", guard="mse", margin=0.001)
    champion = CHAMPION.assign(mse=0.01)
    better = scores(psnr=1.0, seed=2)
    assert decide_promotion(better.assign(mse=0.005), champion, settings).is_promoted
    assert not decide_promotion(better.assign(mse=0.02), champion, settings).is_promoted


def test_too_few_groups_promote_nothing():
    challenger, champion = scores(9, psnr=5.0, seed=2), scores(9, seed=1)
    decision = decide_promotion(challenger, champion, SETTINGS)
    assert not decision.is_promoted
    assert "too few independent photographs" in decision.reason


def test_decision_does_not_depend_on_the_verdict():
    """Single trainings get no verdict on models, but their weights are comparable."""
    row = {"verdict": "these trainings differ"}
    with pytest.MonkeyPatch.context() as patch:
        compare = promotion.compare_pairs
        patch.setattr(promotion, "compare_pairs", lambda s: compare(s).assign(**row))
        decision = decide_promotion(scores(psnr=1.0, seed=2), CHAMPION, SETTINGS)
    assert decision.is_promoted


def test_difference_can_suffice_at_the_first_look_but_not_at_a_late_one():
    challenger = scores(psnr=0.055, seed=3)
    first = decide_promotion(challenger, CHAMPION, SETTINGS, look=1)
    late = decide_promotion(challenger, CHAMPION, SETTINGS, look=30)
    assert spend(30) < first.metric.p_value == late.metric.p_value < spend(1)
    assert first.is_promoted
    assert not late.is_promoted
    assert "not shown to be better" in late.reason
    assert "at look 30" in late.reason


def test_shares_of_all_looks_add_up_to_the_error():
    shares = [spend(look) for look in range(1, 1001)]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) + unspent(1000) == pytest.approx(ERROR)
    assert unspent(0) == pytest.approx(ERROR)
    assert 0 < unspent(10**6) < 1e-4


def test_null_challengers_are_rarely_promoted_over_many_looks():
    """Bonferroni over looks, with valid and independent p-values."""
    random = np.random.default_rng(0)
    p_values, ahead = (
        random.uniform(size=(20_000, 30)),
        random.uniform(size=(20_000, 30)),
    )
    limits = np.array([spend(look) for look in range(1, 31)])
    promoted = ((p_values < limits) & (ahead < 0.5)).any(axis=1).mean()
    assert 0.01 < promoted < ERROR


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0191, "0.019"),
        (0.000115, "0.00012"),
        (1e-9, "< 0.000001"),
        (float("nan"), "–"),
    ],
)
def test_probabilities_have_two_digits(value, text):
    assert format_probability(value) == text


def test_late_mean_averages_the_last_epochs():
    assert late_mean([30.0, 10.0, 20.0, 21.0, 22.0]) == 21.0
    assert late_mean([20.0, 22.0]) == 21.0
    assert late_mean([1.0, 2.0, float("nan"), 3.0, float("inf")]) == 2.0
    assert np.isnan(late_mean([]))


def test_noisy_curves_have_no_advantage():
    """By the best epoch, the noisier of two equal models would nearly always win."""
    random = np.random.default_rng(0)
    steady, noisy = (random.normal(20, sigma, (4000, 12)) for sigma in (0.1, 1.0))
    by_maximum = (noisy.max(axis=1) > steady.max(axis=1)).mean()
    late = [[late_mean(curve) for curve in model] for model in (noisy, steady)]
    assert by_maximum > 0.9
    assert np.mean(np.greater(*late)) == pytest.approx(0.5, abs=0.03)
    assert LATE_EPOCHS > 1


def validation(**values):
    return pd.DataFrame(
        [
            {"model": model, "replicate": number, "value": value}
            for model, row in values.items()
            for number, value in enumerate(row)
        ],
        columns=["model", "replicate", "value"],
    )


def test_challenger_is_the_best_replicate_of_the_best_model_on_average():
    table = validation(lucky=[30.0, 20.0, 20.0], steady=[24.0, 26.0, 25.0])
    assert choose_best(table, "psnr") == Candidate("steady", 1)


def test_challenger_by_a_metric_where_lower_is_better():
    table = validation(a=[0.02, 0.03], b=[0.01, 0.012])
    assert choose_best(table, "mse") == Candidate("b", 0)


def test_without_a_trained_model_there_is_no_challenger():
    assert choose_best(validation(), "psnr") is None
    assert choose_best(validation(a=[float("nan")]), "psnr") is None


@pytest.mark.parametrize(
    "wrong", [{"guard": "psnr"}, {"guard": "beauty"}, {"metric": "fid"}, {"margin": -1}]
)
def test_invalid_settings_are_rejected(wrong):
    with pytest.raises(ValidationError):
        PromotionSettings(**{**SETTINGS.model_dump(), **wrong})
