"""The study's hypothesis, "the GAN is better on MSE, PSNR and SSIM", put to the test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from image_translation.metrics import HEADLINES
from image_translation.metrics.comparison import NO_EFFECT, TOO_FEW_GROUPS
from image_translation.reporting import words
from image_translation.reporting.answer import Outcome, Relation, relate

GAN, RIVAL = "pix2pix", "autoencoder"

CAUSES = {
    "architecture": "the U-Net in place of the encoder–decoder",
    "adversarial": "the adversarial loss",
}
"""What the two models of the study differ in: effect → its name in a sentence."""


@dataclass(frozen=True)
class Hypothesis:
    """What became of the hypothesis on one task.

    Attributes:
        verdict: One of ``confirmed``, ``refuted``, ``confirmed in part``, ``not decided``
            and ``not tested``.
        sentence: The verdict with its numbers.
        causes: What the two differences between the models did, each by itself.
        tone: How it is marked.
    """

    verdict: str
    sentence: str
    causes: Sequence[str]
    tone: Literal["good", "bad", "open"]


def judge_hypothesis(verdicts: pd.DataFrame, effects: pd.DataFrame) -> Hypothesis:
    """Hold the study's hypothesis against the verdicts on pix2pix and autoencoder.

    Args:
        verdicts: ``verdicts.csv``.
        effects: ``effects.csv``; empty where one of the 2×2 is missing.
    """
    found = [relate(verdicts, GAN, RIVAL, metric) for metric in HEADLINES]
    relations = [relation for relation in found if relation is not None]
    if not relations:
        missing = f"{GAN} and {RIVAL} do not both have scores."
        return Hypothesis("not tested", missing, (), "open")
    verdict, tone = _judge([relation.outcome for relation in relations])
    return Hypothesis(verdict, _tell(relations), _causes(effects), tone)


def _judge(outcomes: Sequence[Outcome]) -> tuple[str, Literal["good", "bad", "open"]]:
    if all(outcome == "better" for outcome in outcomes):
        return "confirmed", "good"
    if "worse" in outcomes:
        return "refuted", "bad"
    if "better" in outcomes:
        return "confirmed in part", "open"
    return "not decided", "open"


def _tell(relations: Sequence[Relation]) -> str:
    """What was found between the two models, outcome by outcome."""
    parts = []
    for outcome, phrase in (
        ("better", f"{GAN} is better than {RIVAL} on"),
        ("worse", f"{GAN} is worse than {RIVAL} on"),
        ("open", "no difference was found on"),
    ):
        on = [
            f"{words.label(relation.metric)} ({relation.numbers})"
            for relation in relations
            if relation.outcome == outcome
        ]
        if on:
            parts.append(f"{phrase} {words.join_words(on)}")
    few = [relation for relation in relations if relation.outcome == "few"]
    for phrase, leads in (("ahead of", True), ("behind", False)):
        on = [
            f"{words.label(relation.metric)} "
            f"({words.signed(relation.metric, relation.difference)})"
            for relation in few
            if relation.leads is leads
        ]
        if on:
            parts.append(f"{GAN} is {phrase} {RIVAL} on {words.join_words(on)}")
    told = f"On these images {'; '.join(parts) or 'both are equal'}."
    return (
        f"{told} They show too few independent photographs to decide." if few else told
    )


def _causes(effects: pd.DataFrame) -> list[str]:
    """One sentence on each of the two differences between the models."""
    told = []
    for effect, what in CAUSES.items():
        rows = effects[
            (effects["effect"] == effect)
            & effects["metric"].isin(HEADLINES)
            & (effects["verdict"] != TOO_FEW_GROUPS)
        ]
        said: dict[str, list[str]] = {}
        for _, row in rows.iterrows():
            said.setdefault(_reading(row["verdict"]), []).append(_numbers(row))
        if said:
            parts = [f"{verb} {words.join_words(on)}" for verb, on in said.items()]
            told.append(f"By itself, {what} {'; it '.join(parts)}.")
    return told


def _reading(verdict: str) -> str:
    if verdict.startswith(TOO_FEW_GROUPS):
        return "cannot be judged (too few independent photographs) on"
    return (
        "has no effect that was found on" if verdict.startswith(NO_EFFECT) else verdict
    )


def _numbers(row: pd.Series) -> str:
    metric = row["metric"]
    difference = words.signed(metric, row["difference"])
    span = words.interval(metric, row["ci_low"], row["ci_high"], signs=True)
    return f"{words.label(metric)} ({', '.join(filter(None, [difference, span]))})"
