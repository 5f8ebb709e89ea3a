"""Promotion rule: when a challenger replaces the champion.

The challenger is selected by validation scores, and only the challenger is compared with
the champion on the test images. It is promoted if its weights are better by a declared
metric and a second metric, the guard, is not worse by more than a margin. Each such look
at the test images spends a share of a common error probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import zeta

from image_translation.metrics.registry import METRICS, for_means, format_value
from image_translation.statistics.comparison import MIN_GROUPS, compare_pairs
from image_translation.statistics.settings import PromotionSettings

CHALLENGER, CHAMPION = "challenger", "champion"

ERROR = 0.05
"""Upper bound of the probability of ever promoting a model that is not better."""

DECAY = 1.5
"""Exponent of the decay of error shares: 0.019 for look 1, 0.0006 for look 10, 0.0001 for
look 30. The common choice of 2 gives 0.030, 0.0003 and 0.00003, which is too little for a
new challenger every night."""

LATE_EPOCHS = 3
"""Number of final epochs whose mean validation value selects the challenger. A maximum
over epochs favours noisy curves. Three epochs average out noise, and are few enough that
a model that still improves is not judged by its early epochs."""


class Candidate(NamedTuple):
    """A replicate of a model."""

    model: str
    replicate: int


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the test images, by one metric.

    Attributes:
        metric: Name of the metric.
        challenger: Mean score of the challenger.
        champion: Mean score of the champion, on the same images.
        difference: Mean of challenger - champion.
        ci_low: Lower end of the 95 % interval of the difference.
        ci_high: Upper end of the 95 % interval of the difference.
        p_value: Two-sided p-value of the difference; see `compare_pairs`.
        n_images: Number of images that both have a score for.
        n_groups: Number of groups of these images.
    """

    metric: str
    challenger: float
    champion: float
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n_images: int
    n_groups: int

    @property
    def gain(self) -> float:
        """Difference with a positive sign if the challenger is better."""
        return self.difference * _sign(self.metric)


@dataclass(frozen=True)
class Decision:
    """Decision on a challenger, with its reason and the comparisons behind it.

    Attributes:
        is_promoted: True if the challenger replaces the champion.
        reason: Reason as text.
        metric: Comparison by the metric.
        guard: Comparison by the guard.
        look: Number of this look at the test images, from 1.
        alpha: Significance level of this look.
    """

    is_promoted: bool
    reason: str
    metric: Comparison
    guard: Comparison
    look: int
    alpha: float


def spend(look: int) -> float:
    """Significance level of a look at the test images: ``ERROR / (ζ(1.5) look^1.5)``.

    The levels of all looks add up to ``ERROR``. By Bonferroni's inequality, this bounds
    the probability of any false promotion, for any number of looks (alpha spending;
    Tian & Ramdas 2021, "Online control of the familywise error rate").

    Args:
        look: Number of the look, from 1.
    """
    return ERROR / (float(zeta(DECAY)) * look**DECAY)


def unspent(looks: int) -> float:
    """Sum of the significance levels of all looks after the given number of looks."""
    return ERROR * float(zeta(DECAY, looks + 1)) / float(zeta(DECAY))


def format_probability(value: float) -> str:
    """Format a probability with two significant digits, without an exponent."""
    if not value >= 1e-6:
        return "–" if np.isnan(value) else "< 0.000001"
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def late_mean(curve: Sequence[float] | NDArray[np.float64] | pd.Series) -> float:
    """Mean of the last ``LATE_EPOCHS`` values of a validation curve, or of all if fewer.

    Args:
        curve: One value per epoch, in order; values that are not finite are ignored.

    Returns:
        The mean; NaN for a curve without finite values.
    """
    values = np.asarray(curve, np.float64)
    late = values[np.isfinite(values)][-LATE_EPOCHS:]
    return float(late.mean()) if len(late) else np.nan


def choose_best(validation: pd.DataFrame, metric: str) -> Candidate | None:
    """Select the best model by validation, and its best replicate.

    The model with the best mean over its replicates is selected, so that a single lucky
    seed has little effect. Ties are resolved in favour of the first model.

    Args:
        validation: One row per trained replicate: ``model, replicate`` and ``value``,
            its validation value of the metric. The value is the `late_mean` of the
            curve, not its maximum, since noisy curves have high maxima.
        metric: Name of the metric.

    Returns:
        The replicate; None if none has a finite value.
    """
    known = validation[np.isfinite(validation["value"].astype(float))]
    if known.empty:
        return None
    values = known["value"] * _sign(metric)
    means = values.groupby(known["model"], sort=False).mean()
    model = str(means.idxmax())
    rows = known[known["model"] == model]
    best = int(values[rows.index].to_numpy().argmax())
    return Candidate(model, int(rows["replicate"].iloc[best]))


def decide_promotion(
    challenger: pd.DataFrame,
    champion: pd.DataFrame,
    settings: PromotionSettings,
    look: int = 1,
) -> Decision:
    """Compare the weights of challenger and champion on the test images.

    Differences are paired by image and tested by group. The challenger is promoted if
    its mean is better, the two-sided p-value is below the level of the look, and the
    guard passes a test of non-inferiority: its 95 % interval excludes losses beyond the
    margin. Since both conditions are required, the guard needs no share of the error.

    The decision applies to two sets of weights, not to two models: another seed may
    reverse it.

    Args:
        challenger: Scores of the challenger: ``pair_id, group, replicate``, the metric
            and the guard.
        champion: Scores of the champion, with the same columns.
        settings: Metric, guard and margin.
        look: Number of this look at the test images, from 1.
    """
    scores = {CHALLENGER: challenger, CHAMPION: champion}
    metric = _compare(scores, settings.metric)
    guard = _compare(scores, settings.guard)
    alpha = spend(look)
    is_better, reason = _judge(metric, look, alpha)
    loss = _largest_loss(guard)
    holds = loss <= settings.margin  # False for NaN
    if is_better and holds:
        reason += f"; {guard.metric} is within its margin"
    elif is_better:
        reason += (
            f", but {guard.metric} may be worse by {format_value(guard.metric, loss)}, "
            f"more than the margin of {format_value(guard.metric, settings.margin)}"
        )
    return Decision(is_better and holds, reason, metric, guard, look, alpha)


def _judge(metric: Comparison, look: int, alpha: float) -> tuple[bool, str]:
    """Whether the challenger's weights are better, and the reason as text."""
    name = metric.metric
    if metric.n_groups < MIN_GROUPS:
        return False, (
            f"{name}: too few independent photographs ({metric.n_groups}, at least "
            f"{MIN_GROUPS} are required)"
        )
    if metric.difference == metric.ci_low == metric.ci_high == 0:
        return False, f"{name}: scores are equal"
    if not metric.gain > 0:
        return False, f"{name}: these weights are not ahead"
    is_better = metric.p_value < alpha
    words = "better" if is_better else "ahead, but not shown to be better"
    return is_better, (
        f"{name}: these weights are {words} (p {format_probability(metric.p_value)}, "
        f"required: p < {format_probability(alpha)} at look {look})"
    )


def _largest_loss(guard: Comparison) -> float:
    """Largest loss within the 95 % interval of the guard."""
    is_higher_better = METRICS[guard.metric].higher_is_better
    return -guard.ci_low if is_higher_better else guard.ci_high


def _sign(metric: str) -> int:
    return 1 if METRICS[metric].higher_is_better else -1


def _compare(scores: Mapping[str, pd.DataFrame], metric: str) -> Comparison:
    columns = ["pair_id", "group", "replicate", metric]
    table = compare_pairs({name: frame[columns] for name, frame in scores.items()})
    row = table.iloc[0]
    means = {
        name: frame.assign(value=for_means(metric, frame[metric].to_numpy()))
        .groupby("pair_id")["value"]
        .mean()
        for name, frame in scores.items()
    }
    both = pd.DataFrame(means).dropna()
    return Comparison(
        metric=metric,
        challenger=float(both[CHALLENGER].mean()),
        champion=float(both[CHAMPION].mean()),
        difference=float(row["difference"]),
        ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
        p_value=float(row["p_value"]),
        n_images=len(both),
        n_groups=int(row["n_groups"]),
    )
