"""Test of the study's hypothesis, "the GAN is better on MSE, PSNR and SSIM"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from image_translation.common import wording
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.conclusions import (
    Outcome,
    Relation,
    outcome_of,
    relate,
)
from image_translation.statistics.comparison import STUDY

GAN, RIVAL = STUDY

CAUSES = {
    "architecture": "the U-Net instead of the encoder–decoder",
    "adversarial": "the adversarial loss",
}
"""The differences between the two models of the study: effect → name in a sentence."""

_READINGS: dict[Outcome, str] = {
    "better": "improves",
    "worse": "harms",
    "equal": "has practically no effect on",
    "open": "has an effect that is undecided on",
    "failed": "has no verdict, because a training failed, on",
    "few": "cannot be judged with so few independent photographs on",
}

_READINGS_OF_TRAININGS = {
    True: "gave better scores in these trainings, which other seeds may reverse, on",
    False: "gave worse scores in these trainings, which other seeds may reverse, on",
}
"""Phrases for ``differ``, by whether the effect is an improvement."""

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Hypothesis:
    """Result for the hypothesis on one task.

    Attributes:
        verdict: One of ``confirmed``, ``refuted``, ``confirmed in part``, ``practically
            no effect``, ``not decided`` and ``not tested``.
        sentence: Effect of the adversarial loss by itself, with its numbers.
        short: The same without intervals.
        causes: Effect of the architecture by itself, and the study's own comparison.
        tone: Style of the verdict on the page.
    """

    verdict: str
    sentence: str
    short: str
    causes: Sequence[str]
    tone: Tone


def judge_hypothesis(verdicts: pd.DataFrame, effects: pd.DataFrame) -> Hypothesis:
    """Decide the hypothesis by the effect of the adversarial loss alone.

    The study compared pix2pix with the autoencoder, which differ in two properties. The
    2×2 shows which of them is the cause.

    Args:
        verdicts: ``verdicts.csv``.
        effects: ``effects.csv``; empty if one of the 2×2 is missing.
    """
    outcomes = _outcomes(effects, "adversarial")
    study = _describe_study(verdicts, effects)
    if not outcomes:
        sentence = (
            "pix2pix, unet, autoencoder and autoencoder_gan are needed to separate the "
            "effect of the adversarial loss from that of the architecture."
        )
        return Hypothesis("not tested", sentence, sentence, study, "open")
    verdict, tone = _judge([outcome for outcome, _ in outcomes])
    causes = [_describe_effect(effects, "architecture"), *study]
    sentence = _describe_effect(effects, "adversarial")
    short = _describe_effect(effects, "adversarial", with_intervals=False)
    return Hypothesis(verdict, sentence, short, causes, tone)


def _judge(outcomes: Sequence[Outcome]) -> tuple[str, Tone]:
    if all(outcome == "better" for outcome in outcomes):
        return "confirmed", "good"
    if "worse" in outcomes:
        return "refuted", "bad"
    if "better" in outcomes:
        return "confirmed in part", "open"
    if all(outcome == "equal" for outcome in outcomes):
        return "practically no effect", "bad"
    return "not decided", "open"


def _outcomes(effects: pd.DataFrame, effect: str) -> list[tuple[Outcome, pd.Series]]:
    """Outcomes of an effect on each metric of the question."""
    rows = effects[(effects["effect"] == effect) & effects["metric"].isin(HEADLINES)]
    return [
        (outcome_of(row, MEASURES[row["metric"]].higher_is_better), row)
        for _, row in rows.iterrows()
    ]


def _describe_effect(
    effects: pd.DataFrame, effect: str, *, with_intervals: bool = True
) -> str:
    """One sentence on an effect by itself."""
    said: dict[str, list[str]] = {}
    for outcome, row in _outcomes(effects, effect):
        numbers = _numbers(row, with_intervals)
        said.setdefault(_read(outcome, row), []).append(numbers)
    parts = [f"{reading} {wording.join_words(on)}" for reading, on in said.items()]
    return f"By itself, {CAUSES[effect]} {'; it '.join(parts)}."


def _read(outcome: Outcome, row: pd.Series) -> str:
    if outcome != "differ":
        return _READINGS[outcome]
    more = MEASURES[row["metric"]].higher_is_better
    return _READINGS_OF_TRAININGS[bool((row["difference"] > 0) == more)]


def _numbers(row: pd.Series, with_interval: bool) -> str:
    metric = row["metric"]
    parts = [formatting.signed(metric, row["difference"])]
    if with_interval:
        span = formatting.interval(metric, row["ci_low"], row["ci_high"], signs=True)
        parts.append(span)
    return f"{formatting.label(metric)} ({', '.join(filter(None, parts))})"


def _describe_study(verdicts: pd.DataFrame, effects: pd.DataFrame) -> list[str]:
    """The study's own comparison, with its cause; empty without both models."""
    found = [relate(verdicts, GAN, RIVAL, metric) for metric in HEADLINES]
    relations = [relation for relation in found if relation is not None]
    if not relations:
        return []
    said: dict[tuple[str, str], list[str]] = {}
    for relation in relations:
        key = _stand(relation), _cause(relation, effects)
        on = f"{formatting.label(relation.metric)} ({relation.numbers})"
        said.setdefault(key, []).append(on)
    parts = [
        f"{phrase} {wording.join_words(on)}{cause}"
        for (phrase, cause), on in said.items()
    ]
    return [f"The study's comparison: {GAN} is {'; '.join(parts)}."]


_OUTCOMES: dict[tuple[Outcome, bool | None], str] = {
    ("better", None): f"better than {RIVAL} on",
    ("worse", None): f"worse than {RIVAL} on",
    ("equal", None): f"practically equal to {RIVAL} on",
    ("differ", True): f"ahead of {RIVAL}, in these trainings, on",
    ("differ", False): f"behind {RIVAL}, in these trainings, on",
    ("open", True): f"ahead of {RIVAL}, undecided, on",
    ("open", False): f"behind {RIVAL}, undecided, on",
    ("open", None): f"level with {RIVAL}, undecided, on",
    ("failed", True): f"ahead of {RIVAL}, with a failed training, on",
    ("failed", False): f"behind {RIVAL}, with a failed training, on",
    ("failed", None): f"level with {RIVAL}, with a failed training, on",
    ("few", True): f"ahead of {RIVAL}, with few photographs, on",
    ("few", False): f"behind {RIVAL}, with few photographs, on",
    ("few", None): f"level with {RIVAL}, with few photographs, on",
}
"""Phrase for an outcome and whether pix2pix leads, if applicable."""


def _stand(relation: Relation) -> str:
    plain = relation.outcome in ("better", "worse", "equal")
    return _OUTCOMES[relation.outcome, None if plain else relation.leads]


def _cause(relation: Relation, effects: pd.DataFrame) -> str:
    """The cause of pix2pix's advantage or disadvantage on a metric; empty if
    unknown.
    """
    if relation.outcome not in ("better", "worse"):
        return ""
    causes = [
        name
        for effect, name in (
            ("architecture", "the architecture"),
            ("adversarial", "the adversarial loss"),
        )
        if any(
            row["metric"] == relation.metric and outcome == relation.outcome
            for outcome, row in _outcomes(effects, effect)
        )
    ]
    return f", because of {wording.join_words(causes)}" if causes else ""
