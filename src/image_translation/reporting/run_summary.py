"""What a run did, on one page of Markdown, for people who did not watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from image_translation.reporting import words
from image_translation.reporting.hypothesis import judge_hypothesis

LONGEST = 8
"""Nodes whose durations are told."""

TIME = "%Y-%m-%d %H:%M:%S %Z"


@dataclass(frozen=True)
class PairCounts:
    """Pairs of the manifest, and how they differ from those before the run."""

    used: int
    left_out: int
    new_used: int
    new_left_out: int
    gone: int


@dataclass(frozen=True)
class RunSummary:
    """What is told of a run.

    Attributes:
        task: Name of the task.
        began: When.
        seconds: How long it took.
        outcome: What became of it, in a few words.
        code: What its process ended with.
        cut_off: When the run before began, and in which nodes it was, if it was cut off.
        failures: Node → why it failed; no name for what happened outside of nodes.
        unfinished: Nodes that began, and neither failed nor came to their end.
        missing: Nodes that were to run and did not begin.
        pairs: How many there are.
        models: Model → what was done for it.
        promotion: ``promotion.json``, if there is one.
        verdicts: ``verdicts.csv``, if there is one.
        effects: ``effects.csv``, if there is one.
        report: File name of the report, if there is one.
        is_report_new: Whether this run wrote it.
        durations: Node → seconds.
    """

    task: str
    began: datetime
    seconds: float
    outcome: str
    code: int
    cut_off: tuple[datetime, Sequence[str]] | None
    failures: Mapping[str, str]
    unfinished: Sequence[str]
    missing: Sequence[str]
    pairs: PairCounts
    models: Mapping[str, str]
    promotion: Mapping[str, Any] | None
    verdicts: pd.DataFrame | None
    effects: pd.DataFrame | None
    report: str | None
    is_report_new: bool
    durations: Mapping[str, float]


def render_run_summary(summary: RunSummary) -> str:
    """Write the page."""
    parts = [
        f"# {summary.task}: {summary.outcome}",
        f"Began {summary.began:{TIME}}, took "
        f"{words.duration(summary.seconds)}, exit code {summary.code}.",
        _cut_off(*summary.cut_off) if summary.cut_off else "",
        _failures(summary),
        "## Pairs",
        _pairs(summary.pairs),
        "## Models",
        _listed(f"{name}: {what}" for name, what in summary.models.items())
        or "None was trained so far.",
        "## Model in use",
        _promotion(summary.promotion),
        "## Answer",
        _answer(summary),
        _durations(summary.durations),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _listed(items: Any) -> str:
    return "\n".join(f"- {item}" for item in items)


def _cut_off(began: datetime, nodes: Sequence[str]) -> str:
    where = f" in {words.join_words(nodes)}" if nodes else ""
    return f"The run before, begun {began:{TIME}}, was cut off{where}."


def _failures(summary: RunSummary) -> str:
    told = [
        f"**{node}**\n\n{_quoted(error)}" if node else _quoted(error)
        for node, error in summary.failures.items()
    ]
    if summary.unfinished:
        count = words.count(len(summary.unfinished), "node was", "nodes were")
        told.append(f"{count} cut off: {words.join_words(summary.unfinished)}.")
    if summary.missing:
        count = words.count(len(summary.missing), "node")
        told.append(f"{count} did not run: {words.join_words(summary.missing)}.")
    return "\n\n".join(["## What went wrong", *told]) if told else ""


def _quoted(error: str) -> str:
    return "\n".join(f"    {line}" for line in error.splitlines())


def _pairs(pairs: PairCounts) -> str:
    total = (
        f"{words.count(pairs.used, 'pair')} used, {pairs.left_out:,} left out "
        "(`manifest.csv` has the reasons)."
    )
    changes = [
        f"{number:,} {what}"
        for number, what in (
            (pairs.new_used, "new and used"),
            (pairs.new_left_out, "new and left out"),
            (pairs.gone, "gone"),
        )
        if number
    ]
    changed = words.join_words(changes) if changes else "none is new"
    return f"{total} Since the run before: {changed}."


def _promotion(promotion: Mapping[str, Any] | None) -> str:
    if promotion is None:
        return "No decision was made in this run."
    in_use = promotion.get("in_use") or {}
    named = [
        f"version {in_use['version']}" if in_use.get("version") else "",
        in_use.get("model", ""),
    ]
    is_unknown = promotion["outcome"] == "not decided"
    unnamed = "unknown" if is_unknown and not promotion.get("is_sealed") else "none"
    now = ", ".join(filter(None, named)) or unnamed
    return f"{promotion['outcome']}: {promotion['reason']}. In use: {now}."


def _answer(summary: RunSummary) -> str:
    if summary.report is None or summary.verdicts is None or summary.effects is None:
        return "There is no report yet."
    judged = judge_hypothesis(summary.verdicts, summary.effects)
    link = f"[Report]({summary.report})"
    if not summary.is_report_new:
        link += " of an earlier run"
    return (
        f'The hypothesis "the GAN is better" is **{judged.verdict}**. '
        f"{judged.sentence}\n\n{link}"
    )


def _durations(durations: Mapping[str, float]) -> str:
    longest = sorted(durations.items(), key=lambda item: -item[1])[:LONGEST]
    if not longest:
        return ""
    rows = [f"| {node} | {words.duration(seconds)} |" for node, seconds in longest]
    head = ["## Where the time went", "", "| node | |", "|---|---:|"]
    return "\n".join([*head, *rows])
