"""The rule by which a trained model takes the place of the one in use.

Validation chooses the challenger; only the challenger meets the champion on the test
images. It is promoted where it is better on a declared metric and a second metric, the
guard, is shown not to get worse by more than a margin. Tables in, a decision out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from image_translation.metrics.comparison import compare_pairs
from image_translation.metrics.registry import METRICS, for_means, format_value
from image_translation.metrics.settings import PromotionSettings

CHALLENGER, CHAMPION = "challenger", "champion"


class Candidate(NamedTuple):
    """A replicate of a model."""

    model: str
    replicate: int


@dataclass(frozen=True)
class Comparison:
    """What the test images say about challenger and champion, by one metric.

    Attributes:
        metric: Its name.
        challenger: Mean score of the challenger.
        champion: Mean score of the champion, on the same images.
        difference: Mean of challenger - champion.
        ci_low: Lower end of its 95 % interval.
        ci_high: Upper end.
        p_value: Of Wilcoxon's signed-rank test on the groups.
        n_images: Images that both have a score for.
        n_groups: Groups of these.
        verdict: In the words of ``verdicts.csv``.
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
    verdict: str


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is promoted, why, and by which numbers."""

    is_promoted: bool
    reason: str
    metric: Comparison
    guard: Comparison


def choose_challenger(
    validation: pd.DataFrame, settings: PromotionSettings
) -> Candidate | None:
    """Choose a model on validation, and of its replicates the best one.

    The model with the best mean over its replicates is chosen, so that one lucky seed
    does not choose it. The first one wins a draw.

    Args:
        validation: One row a trained replicate: ``model, replicate`` and ``value``, the
            validation value of its chosen epoch by ``settings.metric``.
        settings: Which metric.

    Returns:
        None where nothing was trained.
    """
    known = validation[np.isfinite(validation["value"].astype(float))]
    if known.empty:
        return None
    values = known["value"] * (1 if METRICS[settings.metric].higher_is_better else -1)
    means = values.groupby(known["model"], sort=False).mean()
    model = str(means.idxmax())
    rows = known[known["model"] == model]
    best = int(values[rows.index].to_numpy().argmax())
    return Candidate(model, int(rows["replicate"].iloc[best]))


def decide_promotion(
    challenger: pd.DataFrame, champion: pd.DataFrame, settings: PromotionSettings
) -> Decision:
    """Hold the challenger against the champion on the test images.

    Differences are paired by image and resampled by group, as in ``verdicts.csv``; one
    metric is tested, so nothing has to be corrected for. The guard is a test of
    non-inferiority: its whole 95 % interval lies within the margin.

    Args:
        challenger: Its scores: ``pair_id, group, replicate``, the metric and the guard.
        champion: The champion's, alike.
        settings: Metric, guard and margin.
    """
    scores = {CHALLENGER: challenger, CHAMPION: champion}
    metric = _compare(scores, settings.metric)
    guard = _compare(scores, settings.guard)
    if metric.verdict != f"{CHALLENGER} is better":
        return Decision(False, f"{settings.metric}: {metric.verdict}", metric, guard)
    loss = -guard.ci_low if METRICS[guard.metric].higher_is_better else guard.ci_high
    if not loss <= settings.margin:  # nor where it is not known
        reason = (
            f"{settings.metric}: {metric.verdict}, but {settings.guard} may be worse by "
            f"{format_value(settings.guard, loss)}, more than the margin of "
            f"{format_value(settings.guard, settings.margin)}"
        )
        return Decision(False, reason, metric, guard)
    reason = (
        f"{settings.metric}: {metric.verdict}; {settings.guard} is within its margin"
    )
    return Decision(True, reason, metric, guard)


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
        verdict=str(row["verdict"]),
    )
