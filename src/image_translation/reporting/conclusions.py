"""Conclusions in sentences: what the tables show, and what they cannot show."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from image_translation.common import wording
from image_translation.common.names import COPY_INPUT, TEST
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.epochs import describe_improving
from image_translation.reporting.report_content import ReportContent
from image_translation.statistics.comparison import (
    EQUAL,
    MIN_GROUPS,
    TOO_FEW_GROUPS,
    TRAININGS_DIFFER,
)

Outcome = Literal["better", "worse", "differ", "equal", "open", "failed", "few"]


@dataclass(frozen=True)
class Relation:
    """Comparison of model a with model b on one metric.

    Attributes:
        metric: The metric's name.
        difference: Mean of a minus mean of b, in the metric's unit.
        low: Lower end of its interval.
        high: Upper end of its interval.
        outcome: ``better`` and ``worse`` are claims about models; ``differ`` is a claim
            about two trainings, ``equal`` "practically equal", ``open`` "undecided",
            ``failed`` undecided because a training failed, ``few`` "too few independent
            photographs".
        leads: Whether a's mean is better, with or without a claim; None if equal.
    """

    metric: str
    difference: float
    low: float
    high: float
    outcome: Outcome
    leads: bool | None

    @property
    def numbers(self) -> str:
        """The difference with its interval: ``+2.1 dB, 1.2 to 3.0 dB``."""
        span = formatting.interval(self.metric, self.low, self.high, signs=True)
        return ", ".join(
            filter(None, [formatting.signed(self.metric, self.difference), span])
        )


@dataclass(frozen=True)
class ModelConclusion:
    """One model compared with copying the input: a sentence and its tone."""

    model: str
    sentence: str
    tone: Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Conclusions:
    """The conclusions at the top of the report.

    Attributes:
        lead: The best model by metric, one sentence.
        support: Evidence for the lead.
        copying: Result of copying the input, over all trained models.
        copying_wins: Whether copying is as good or better on some metric.
        against_copy: One sentence per trained model.
        few: Consequence of few independent photographs; empty if there are enough.
        missing: Models that are not in the comparison, with their reasons.
        cautions: Further cautions for the reader.
    """

    lead: str
    support: Sequence[str]
    copying: str
    copying_wins: bool
    against_copy: Sequence[ModelConclusion]
    few: str
    missing: Sequence[tuple[str, str]]
    cautions: Sequence[str]


def draw_conclusions(content: ReportContent) -> Conclusions:
    """Draw the conclusions of a comparison."""
    trained = trained_models(content)
    metrics = headlines_of(content)
    copying, copying_wins = _copying(content, trained, metrics)
    return Conclusions(
        lead=_lead(content, trained, metrics),
        support=_support(content, trained, metrics),
        copying=copying,
        copying_wins=copying_wins,
        against_copy=_against_copy(content, trained, metrics),
        few=_few(content),
        missing=missing_models(content),
        cautions=_cautions(content, trained),
    )


def metrics_of(content: ReportContent) -> list[str]:
    """The metrics of the comparison, in its order."""
    return list(dict.fromkeys(content.comparison["metric"]))


def headlines_of(content: ReportContent) -> list[str]:
    """The metrics of the study's question in the comparison."""
    known = metrics_of(content)
    return [metric for metric in HEADLINES if metric in known]


def scored_models(content: ReportContent) -> list[str]:
    """Models with scores, in the order of the table of models."""
    table = content.comparison
    scored = set(table.loc[table["mean"].notna(), "model"])
    listed = [model for model in content.models["model"] if model in scored]
    return listed + sorted(scored.difference(listed))


def trained_models(content: ReportContent) -> list[str]:
    """Trained models with scores."""
    status = dict(zip(content.models["model"], content.models["status"], strict=True))
    return [
        model for model in scored_models(content) if status.get(model) != "baseline"
    ]


def missing_models(content: ReportContent) -> list[tuple[str, str]]:
    """Models without scores, with their reasons."""
    scored = set(scored_models(content))
    return [
        (row["model"], _reason(row["status"], formatting.text(row["reason"])))
        for _, row in content.models.iterrows()
        if row["model"] not in scored
    ]


def failed_models(content: ReportContent) -> list[tuple[str, str, int]]:
    """Scored models with a failed training: name, reason and number of scored
    trainings.
    """
    scored = set(scored_models(content))
    return [
        (
            row["model"],
            f"failed: {formatting.text(row['reason'])}".removesuffix(": "),
            int(row["replicates"]),
        )
        for _, row in content.models.iterrows()
        if row["status"] == "failed" and row["model"] in scored
    ]


def mean_of(content: ReportContent, model: str, metric: str) -> float:
    """A model's mean; NaN if missing."""
    table = content.comparison
    rows = table[(table["model"] == model) & (table["metric"] == metric)]
    return float(rows["mean"].iloc[0]) if len(rows) else math.nan


def best_models(
    content: ReportContent, models: Iterable[str], metric: str
) -> list[str]:
    """The models with the best mean; empty if no model has one."""
    table = content.comparison
    rows = table[table["metric"] == metric]
    means = dict(zip(rows["model"], rows["mean"], strict=True))
    known = {m: means[m] for m in models if m in means and pd.notna(means[m])}
    if not known:
        return []
    choose = max if MEASURES[metric].higher_is_better else min
    best = choose(known.values())
    return [model for model, mean in known.items() if mean == best]


def on_front(content: ReportContent, metrics: tuple[str, str]) -> list[str]:
    """Models that no other model beats on both of two metrics, lower being better."""
    means = {
        model: point
        for model in scored_models(content)
        if not any(
            map(math.isnan, point := [mean_of(content, model, m) for m in metrics])
        )
    }
    return [
        model
        for model, point in means.items()
        if not any(
            all(a <= b for a, b in zip(other, point, strict=True)) and other != point
            for other in means.values()
        )
    ]


CLAIMS = ("improves", "harms", "depends")
"""Claims of a verdict on an effect."""


def outcome_of(row: pd.Series, more_is_better: bool) -> Outcome:
    """The outcome of a row of the verdicts for its model a."""
    verdict = str(row["verdict"])
    said: tuple[tuple[str, Outcome], ...] = (
        (TOO_FEW_GROUPS, "few"),
        (TRAININGS_DIFFER, "differ"),
        (EQUAL, "equal"),
    )
    for beginning, outcome in said:
        if verdict.startswith(beginning):
            return outcome
    if verdict.endswith(" failed)"):
        return "failed"
    if verdict not in CLAIMS and not verdict.endswith(" is better"):
        return "open"
    return "better" if (row["difference"] > 0) == more_is_better else "worse"


def relate(verdicts: pd.DataFrame, a: str, b: str, metric: str) -> Relation | None:
    """Compare a with b on a metric, in whichever order the table has them."""
    table = verdicts[verdicts["metric"] == metric]
    forward = table[(table["model_a"] == a) & (table["model_b"] == b)]
    backward = table[(table["model_a"] == b) & (table["model_b"] == a)]
    rows = forward if len(forward) else backward
    if not len(rows):
        return None
    row, more = rows.iloc[0], MEASURES[metric].higher_is_better
    difference, low, high = row["difference"], row["ci_low"], row["ci_high"]
    outcome = outcome_of(row, more)
    if not len(forward):
        difference, low, high = -difference, -high, -low
        swapped: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}
        outcome = swapped.get(outcome, outcome)
    equal = pd.isna(difference) or difference == 0
    leads = None if equal else bool((difference > 0) == more)
    return Relation(metric, difference, low, high, outcome, leads)


def count_tested(content: ReportContent) -> tuple[int, int]:
    """Count the test images and the independent groups among them."""
    table = content.comparison
    if not len(table):
        return 0, 0
    return int(table["n_images"].max()), int(table["n_groups"].max())


def infinite_psnr(content: ReportContent) -> dict[str, int]:
    """Model → number of predictions that equal their target exactly."""
    counts = {
        model: int((table["psnr"] == math.inf).sum())
        for model, table in content.scores.items()
        if "psnr" in table
    }
    return {model: number for model, number in counts.items() if number}


def _reason(status: str, reason: str) -> str:
    said = "trained, but without scores" if status == "trained" else status
    return f"{said}: {reason}" if reason else said


def _lead(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> str:
    if not trained:
        return "No trained model has been scored yet, so there are no results."
    if len(trained) == 1:
        return (
            f"Only {trained[0]} has been trained and scored; "
            "it can only be compared with the baselines."
        )
    won: dict[tuple[str, ...], list[str]] = {}
    for metric in metrics:
        best = tuple(best_models(content, trained, metric))
        if best:
            won.setdefault(best, []).append(metric)
    parts = [_wins(best, on) for best, on in won.items()]
    return f"Of the {len(trained)} trained models, {'; '.join(parts)}."


def _wins(best: Sequence[str], metrics: Sequence[str]) -> str:
    verb = "has" if len(best) == 1 else "share"
    return (
        f"{wording.join_words(best)} {verb} the best mean {formatting.labels(metrics)}"
    )


def _support(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> list[str]:
    """Compare the best model of each metric with the other trained models."""
    if len(trained) < 2:
        return []
    said: dict[str, list[str]] = {}
    for metric in metrics:
        best = best_models(content, trained, metric)
        if best:
            others = [model for model in trained if model != best[0]]
            sentence = _support_on(content, best[0], others, metric)
            said.setdefault(sentence, []).append(metric)
    return [f"On {formatting.labels(on)}, {text}" for text, on in said.items()]


def _support_on(
    content: ReportContent, best: str, others: Sequence[str], metric: str
) -> str:
    groups: dict[str, list[str]] = {}
    for other in others:
        relation = relate(content.verdicts, best, other, metric)
        if relation is not None:
            groups.setdefault(relation.outcome, []).append(other)
    parts = [
        sentence.format(best, _whom(groups[outcome], others))
        for outcome, sentence in _SUPPORT.items()
        if outcome in groups
    ]
    return "; ".join(parts) + "." if parts else f"{best} was not compared in pairs."


_SUPPORT = {
    "better": "{} is better than {}",
    "differ": (
        "this training of {} scores better than that of {}, which another seed may "
        "reverse"
    ),
    "equal": "{} is practically equal to {}",
    "open": "the comparison of {} with {} is undecided",
    "failed": "a training failed, so there is no verdict on {} and {}",
    "few": "there are too few independent photographs to compare {} with {}",
}
"""Comparison of the best model with others, by outcome."""


def _whom(models: Sequence[str], others: Sequence[str]) -> str:
    if len(models) == len(others) > 1:
        return "every other trained model"
    return wording.join_words(models)


def _copying(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> tuple[str, bool]:
    if not trained:
        return "", False
    if COPY_INPUT not in scored_models(content):
        return (
            f"{COPY_INPUT} was not run, so it is unknown whether any model is better "
            "than doing nothing.",
            False,
        )
    ahead = [m for m in metrics if _copy_is_as_good(content, trained, m)]
    if len(ahead) == len(metrics):
        return (
            "Simply copying the input scores as well as or better than every trained "
            f"model on {formatting.labels(metrics)}.",
            True,
        )
    if ahead:
        return (
            f"On {formatting.labels(ahead)}, simply copying the input scores as well as or "
            "better than every trained model.",
            True,
        )
    return _training_paid(content, trained, metrics)


def _copy_is_as_good(
    content: ReportContent, trained: Sequence[str], metric: str
) -> bool:
    return COPY_INPUT in best_models(content, [*trained, COPY_INPUT], metric)


def _training_paid(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> tuple[str, bool]:
    relations = [
        relation
        for model in trained
        for metric in metrics
        if (relation := relate(content.verdicts, model, COPY_INPUT, metric)) is not None
    ]
    whom = "Every trained model" if len(trained) > 1 else trained[0]
    on = formatting.labels(metrics)
    if relations and all(r.outcome == "better" for r in relations):
        return f"{whom} is better than simply copying the input on {on}.", False
    behind = _behind(content, trained, metrics)
    if behind:
        return behind, True
    if relations and all(r.outcome in ("better", "differ") for r in relations):
        reserve = "some models were trained once, and another seed may reverse it"
    elif any(r.outcome == "failed" for r in relations):
        reserve = "some trainings failed, so not every model gets a verdict"
    elif any(r.outcome == "few" for r in relations):
        reserve = "there are too few photographs for a verdict"
    else:
        reserve = "some of these differences are undecided"
    return (
        f"{whom} scores better than a copy of the input on {on}, but {reserve}.",
        False,
    )


def _behind(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> str:
    """The trained models that are worse than a copy, or have no better mean."""
    said: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for metric in metrics:
        relations = {
            model: relate(content.verdicts, model, COPY_INPUT, metric)
            for model in trained
        }
        behind = {m: r for m, r in relations.items() if r and r.leads is not True}
        worse = tuple(m for m, r in behind.items() if r.outcome == "worse")
        others = tuple(m for m in behind if m not in worse)
        for verb, models in (("is worse", worse), ("has no better mean", others)):
            if models:
                said.setdefault((verb, models), []).append(metric)
    return " ".join(
        f"On {formatting.labels(on)}, {wording.join_words(models)} "
        f"{verb if len(models) == 1 else _PLURALS[verb]} than a copy of the input."
        for (verb, models), on in said.items()
    )


_PLURALS = {"is worse": "are worse", "has no better mean": "have no better mean"}


def _against_copy(
    content: ReportContent, trained: Sequence[str], metrics: Sequence[str]
) -> list[ModelConclusion]:
    answers = []
    for model in trained:
        relations = [
            relate(content.verdicts, model, COPY_INPUT, metric) for metric in metrics
        ]
        known = [relation for relation in relations if relation is not None]
        if known:
            answers.append(
                ModelConclusion(model, _compare_with_copy(known), _tone(known))
            )
    return answers


def _compare_with_copy(relations: Sequence[Relation]) -> str:
    """Compare one model with the copy, metric by metric, claims first."""
    parts = [
        _phrase("better than copying the input on", relations, "better"),
        _phrase("worse than copying the input on", relations, "worse"),
        _phrase("practically equal to copying the input on", relations, "equal"),
        _phrase("undecided on", relations, "open"),
        _phrase("no verdict, because a training failed, on", relations, "failed"),
        _measured([r for r in relations if r.outcome in ("differ", "few")]),
    ]
    sentence = "; ".join(filter(None, parts)) + "."
    return sentence[0].upper() + sentence[1:]


def _phrase(phrase: str, relations: Sequence[Relation], outcome: Outcome) -> str:
    on = [
        f"{formatting.label(r.metric)} ({r.numbers})"
        for r in relations
        if r.outcome == outcome
    ]
    return f"{phrase} {wording.join_words(on)}" if on else ""


def _measured(relations: Sequence[Relation]) -> str:
    """The measured differences if nothing can be claimed about the model."""
    parts: list[str] = []
    for phrase, leads in (
        ("ahead of a copy on", True),
        ("behind it on", False),
        ("equal to it on", None),
    ):
        on = [
            f"{formatting.label(r.metric)} ({formatting.signed(r.metric, r.difference)})"
            for r in relations
            if r.leads is leads
        ]
        if on:
            first = phrase if parts else phrase.replace(" it ", " a copy ")
            parts.append(f"{first} {wording.join_words(on)}")
    if not parts:
        return ""
    where = "this training is " if relations[0].outcome == "differ" else ""
    rest = "" if where else "; too few for a claim"
    return f"on these photographs {where}{', '.join(parts)}{rest}"


def _tone(relations: Sequence[Relation]) -> Literal["good", "bad", "open"]:
    outcomes = {relation.outcome for relation in relations}
    if outcomes == {"better"}:
        return "good"
    return "bad" if "worse" in outcomes else "open"


def _few(content: ReportContent) -> str:
    images, groups = count_tested(content)
    if not 0 < groups < MIN_GROUPS:
        return ""
    crops = (
        "Images of one photograph are similar, so they count once. "
        if images > groups
        else ""
    )
    return (
        f"The {wording.count(images, f'{content.subset} image')} come from "
        f"{wording.count(groups, 'independent photograph')}. {crops}"
        f"With fewer than {MIN_GROUPS} photographs, even a large difference gets no "
        "verdict: the numbers describe these photographs, and say little about others."
    )


def _cautions(content: ReportContent, trained: Sequence[str]) -> list[str]:
    table = content.comparison[content.comparison["model"].isin(trained)]
    cautions = []
    leaks = content.data.leaks
    if leaks and content.subset == TEST:
        cautions.append(
            f"{wording.count(len(leaks), 'test pair')} of the {count_tested(content)[0]} "
            "have an image that is also among the training or validation pairs, such as "
            f"{leaks[0]}: the models have seen it, and its scores say nothing about new "
            "images. Run the splitting again, without the edited split.csv."
        )
    once = [m for m in trained if m in set(table[table["n_replicates"] == 1]["model"])]
    if once:
        whom = "Each model" if once == list(trained) else wording.join_words(once)
        cautions.append(
            f"{whom} was trained once. Another seed gives other numbers, and the "
            "intervals do not include this variation: the conclusions are about these "
            "trainings, not about models. training.replicates=3 compares models."
        )
    cautions += [
        f"{model} {reason}. Its scores are from {wording.count(n, 'training')}; those of "
        "a failed training are from the best epoch before. This favours the model, so "
        "it gets no verdict."
        for model, reason, n in failed_models(content)
    ]
    if improving := describe_improving(content):
        cautions.append(improving)
    perfect = [model for model in infinite_psnr(content) if model in trained]
    if perfect:
        cautions.append(
            f"Some predictions of {wording.join_words(perfect)} equal their target "
            "exactly (infinite PSNR). That is unusual for a trained model: check that "
            "it has not seen the targets."
        )
    return cautions
