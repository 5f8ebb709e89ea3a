"""The answer of a task in two sentences, the same wherever it is shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pandas as pd

from image_translation.common import wording
from image_translation.common.names import BASELINES
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.conclusions import Outcome, relate
from image_translation.reporting.hypothesis import judge_hypothesis
from image_translation.statistics.comparison import TaskResults

RANKED_BY = "psnr"
"""The metric that ranks the models; other leaders on MSE or SSIM are named."""

_RESERVES: Mapping[Outcome, str] = {
    "few": "too few independent photographs ({groups})",
    "differ": "another seed may reverse the comparison with {models}",
    "equal": "practically equal to {models}",
    "open": "undecided against {models}",
    "failed": "a training failed, so there is no verdict on {models}",
    "worse": "worse than {models}",
}
"""Why the best mean does not establish the best model, by outcome."""


@dataclass(frozen=True)
class Answer:
    """The short form of a task's result.

    Attributes:
        lead: The best model and by how much, one sentence; or the baseline that no
            trained model exceeds.
        reserve: Whether this is established, and who leads on other metrics.
        adversarial: Effect of the adversarial loss by itself.
        model: The best trained model; empty if none is scored.
        outcomes: For each other model the comparison of the model with the best mean,
            trained or not, with it.
    """

    lead: str
    reserve: str
    adversarial: str
    model: str = ""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The lead with its reserve."""
        return f"{self.lead} {self.reserve}".strip()

    def __str__(self) -> str:
        return f"{self.best}\n{self.adversarial}"


def short_answer(results: TaskResults) -> Answer:
    """Answer which model is best, and whether the adversarial loss helps."""
    adversarial = judge_hypothesis(results.verdicts, results.effects).short
    ranked = rank_models(results.comparison)
    trained = [model for model in ranked.index if model not in BASELINES]
    if not trained:
        return Answer("No trained model has been scored.", "", adversarial)
    best, *others = ranked.index
    outcomes = _compare_with_best(results, best, others)
    if best in BASELINES:
        behind = formatting.value(RANKED_BY, ranked[best] - ranked[trained[0]])
        lead = (
            f"No trained model is better than {best}: {trained[0]}, the best of them, "
            f"is {behind} {formatting.label(RANKED_BY)} behind it."
        )
        return Answer(lead, "", adversarial, trained[0], outcomes)
    mean = formatting.value(RANKED_BY, ranked[best])
    lead = f"{best} is best: {formatting.label(RANKED_BY)} {mean}"
    if not others:
        lead += "; no other model has been scored."
        return Answer(lead, "", adversarial, best)
    ahead = formatting.value(RANKED_BY, ranked[best] - ranked[others[0]])
    lead += f", {ahead} more than {others[0]}, the next best."
    reserve = [
        _describe_certainty(results, outcomes),
        _other_leaders(results, best),
    ]
    return Answer(lead, " ".join(filter(None, reserve)), adversarial, best, outcomes)


def rank_models(
    comparison: pd.DataFrame, metric: str = RANKED_BY
) -> "pd.Series[float]":
    """The known means of a metric by model, the best first."""
    rows = comparison[comparison["metric"] == metric].dropna(subset=["mean"])
    means = rows.set_index("model")["mean"]
    ascending = not MEASURES[metric].higher_is_better
    return means.sort_values(ascending=ascending, kind="stable")


def _compare_with_best(
    results: TaskResults, best: str, others: list[str]
) -> dict[str, Outcome]:
    relations = {
        other: relate(results.verdicts, best, other, RANKED_BY) for other in others
    }
    return {
        other: relation.outcome if relation else "open"
        for other, relation in relations.items()
    }


def _describe_certainty(results: TaskResults, outcomes: Mapping[str, Outcome]) -> str:
    open_models: dict[Outcome, list[str]] = {}
    for other, outcome in outcomes.items():
        if outcome != "better":
            open_models.setdefault(outcome, []).append(other)
    if not open_models:
        return "Established: better than every other model."
    groups = int(results.comparison["n_groups"].max())
    reserves = [
        _RESERVES[outcome].format(models=_name(models, outcomes), groups=groups)
        for outcome, models in open_models.items()
    ]
    return f"Not established: {'; '.join(reserves)}."


def _name(models: Collection[str], others: Collection[str]) -> str:
    is_all = len(models) == len(others) > 1
    return "every other model" if is_all else wording.join_words(models)


def _other_leaders(results: TaskResults, best: str) -> str:
    leaders: dict[str, list[str]] = {}
    for metric in HEADLINES:
        ranked = rank_models(results.comparison, metric)
        if len(ranked) and ranked[best] != ranked.iloc[0]:
            leaders.setdefault(str(ranked.index[0]), []).append(metric)
    parts = [
        f"{model} has the best mean {formatting.labels(on)}"
        for model, on in leaders.items()
    ]
    return f"{'; '.join(parts)}." if parts else ""
