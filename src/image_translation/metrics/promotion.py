"""The rule by which a trained model takes the place of the one in use.

Validation chooses the challenger; only the challenger meets the champion on the test
images. It is promoted if these weights are better than those on a declared metric, and a
second metric, the guard, does not get worse by more than a margin. Every such look at
the test images spends a part of one error. Tables in, a decision out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import zeta

from image_translation.metrics.comparison import MIN_GROUPS, compare_pairs
from image_translation.metrics.registry import METRICS, for_means, format_value
from image_translation.metrics.settings import PromotionSettings

CHALLENGER, CHAMPION = "challenger", "champion"

ERROR = 0.05
"""Bound on the probability of ever promoting a model that is no better."""

DECAY = 1.5
"""Exponent by which the shares of the error fall: 0.019 for look 1, 0.0006 for look 10,
0.0001 for look 30. With 2, as often seen, these are 0.030, 0.0003 and 0.00003: too little
for a champion that meets a challenger every night."""

LATE_EPOCHS = 3
"""Epochs at the end of a training whose mean validation value chooses the challenger.
A maximum over epochs favours noisy curves. Three are enough to average noise, and few
enough that a model which still improves is not judged by its early epochs."""


class Candidate(NamedTuple):
    """A replicate of a model."""

    model: str
    replicate: int


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the test images, by one metric.

    Attributes:
        metric: Its name.
        challenger: Mean score of the challenger.
        champion: Mean score of the champion, on the same images.
        difference: Mean of challenger - champion.
        ci_low: Lower end of its 95 % interval.
        ci_high: Upper end.
        p_value: Two-sided, of the difference; see `compare_pairs`.
        n_images: Images that both have a score for.
        n_groups: Groups of these.
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
        """The difference, positive if the challenger is better."""
        return self.difference * _sign(self.metric)


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is promoted, why, and by which numbers.

    Attributes:
        is_promoted: Whether it is.
        reason: Why, in words.
        metric: Comparison by the metric.
        guard: Comparison by the guard.
        look: Number of this look at the test images, from 1.
        alpha: Error that this look may spend.
    """

    is_promoted: bool
    reason: str
    metric: Comparison
    guard: Comparison
    look: int
    alpha: float


def spend(look: int) -> float:
    """Error that a look at the test images may spend: ``ERROR / (ζ(1.5) look^1.5)``.

    The shares of all looks add up to ``ERROR``, so by Bonferroni's inequality the
    probability of any false promotion stays below it however often one looks (alpha
    spending; Tian & Ramdas 2021, "Online control of the familywise error rate").

    Args:
        look: Its number, from 1.
    """
    return ERROR / (float(zeta(DECAY)) * look**DECAY)


def unspent(looks: int) -> float:
    """Error that is left for all later looks after a number of looks."""
    return ERROR * float(zeta(DECAY, looks + 1)) / float(zeta(DECAY))


def format_probability(value: float) -> str:
    """A p-value or a share of the error with two digits, never in powers of ten."""
    if not value >= 1e-6:
        return "–" if np.isnan(value) else "< 0.000001"
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def late_mean(curve: Sequence[float] | NDArray[np.float64] | pd.Series) -> float:
    """Mean of the last ``LATE_EPOCHS`` values of a validation curve, or of all if fewer.

    Args:
        curve: A value an epoch, in order; an epoch without a finite value is ignored.

    Returns:
        NaN for a curve without values.
    """
    values = np.asarray(curve, np.float64)
    late = values[np.isfinite(values)][-LATE_EPOCHS:]
    return float(late.mean()) if len(late) else np.nan


def choose_challenger(
    validation: pd.DataFrame, settings: PromotionSettings
) -> Candidate | None:
    """Choose a model on validation, and of its replicates the best one.

    The model with the best mean over its replicates is chosen, so that one lucky seed
    does not choose it. The first one wins a draw.

    Args:
        validation: One row a trained replicate: ``model, replicate`` and ``value``, its
            validation value by ``settings.metric``. This is no maximum over epochs but
            the `late_mean`: models with noisy curves have high maxima.
        settings: Which metric.

    Returns:
        None where nothing was trained.
    """
    known = validation[np.isfinite(validation["value"].astype(float))]
    if known.empty:
        return None
    values = known["value"] * _sign(settings.metric)
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
    """Compare the challenger's weights with the champion's on the test images.

    Differences are paired by image and tested by group. The challenger is promoted if
    it is ahead and the two-sided p-value is below what the look may spend. The guard is
    a test of non-inferiority: its whole 95 % interval lies within the margin. Only both
    together promote, so the guard needs no share of the error.

    The decision is about two sets of weights. It does not say which model is better:
    another seed may reverse it.

    Args:
        challenger: Its scores: ``pair_id, group, replicate``, the metric and the guard.
        champion: The champion's, alike.
        settings: Metric, guard and margin.
        look: Number of this look at the test images, from 1.
    """
    scores = {CHALLENGER: challenger, CHAMPION: champion}
    metric = _compare(scores, settings.metric)
    guard = _compare(scores, settings.guard)
    alpha = spend(look)
    is_better, reason = _judge(metric, look, alpha)
    loss = _largest_loss(guard)
    holds = loss <= settings.margin  # false where it is not known
    if is_better and holds:
        reason += f"; {guard.metric} is within its margin"
    elif is_better:
        reason += (
            f", but {guard.metric} may be worse by {format_value(guard.metric, loss)}, "
            f"more than the margin of {format_value(guard.metric, settings.margin)}"
        )
    return Decision(is_better and holds, reason, metric, guard, look, alpha)


def _judge(metric: Comparison, look: int, alpha: float) -> tuple[bool, str]:
    """Whether the challenger's weights are better, and why."""
    name = metric.metric
    if metric.n_groups < MIN_GROUPS:
        return False, (
            f"{name}: too few independent photographs ({metric.n_groups}, at least "
            f"{MIN_GROUPS} are needed)"
        )
    if metric.difference == metric.ci_low == metric.ci_high == 0:
        return False, f"{name}: the scores are equal"
    if not metric.gain > 0:
        return False, f"{name}: these weights are not ahead"
    is_better = metric.p_value < alpha
    words = "better" if is_better else "ahead, but not shown to be better"
    return is_better, (
        f"{name}: these weights are {words} (p {format_probability(metric.p_value)}, "
        f"needed is p < {format_probability(alpha)} at look {look})"
    )


def _largest_loss(guard: Comparison) -> float:
    """By how much the guard may get worse: the far end of its interval."""
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
