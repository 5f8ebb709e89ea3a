"""The summary of a run: one page of Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from image_translation.reporting import words
from image_translation.reporting.hypothesis import judge_hypothesis

LONGEST = 8
"""Number of nodes whose durations are shown."""

TIME = "%Y-%m-%d %H:%M:%S %Z"


@dataclass(frozen=True)
class PairCounts:
    """Pairs of the manifest, and their changes since the previous run."""

    used: int
    left_out: int
    new_used: int
    new_left_out: int
    gone: int


@dataclass(frozen=True)
class RunSummary:
    """The content of a summary.

    Attributes:
        task: Name of the task.
        began: Time of the start.
        seconds: Duration.
        outcome: The outcome in a few words.
        code: The exit code.
        cut_off: Start and running nodes of the previous run, if it was interrupted.
        failures: Error of each failed node; the empty name is for errors outside of
            nodes.
        unfinished: Nodes that started, and neither failed nor finished.
        missing: Nodes that were to run and did not start.
        pairs: Numbers of pairs.
        models: State of each model.
        promotion: ``promotion.json``, if there is one.
        verdicts: ``verdicts.csv``, if there is one.
        effects: ``effects.csv``, if there is one.
        report: File name of the report, if there is one.
        is_report_new: Whether this run wrote it.
        durations: Seconds of each node.
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
    """Render the page."""
    parts = [
        f"# {summary.task}: {summary.outcome}",
        f"Started {summary.began:{TIME}}, took "
        f"{words.duration(summary.seconds)}, exit code {summary.code}.",
        _cut_off(*summary.cut_off) if summary.cut_off else "",
        _failures(summary),
        "## Pairs",
        _pairs(summary.pairs),
        "## Models",
        _listed(f"{name}: {what}" for name, what in summary.models.items())
        or "No model has been trained yet.",
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
    return f"The previous run, started {began:{TIME}}, was interrupted{where}."


def _failures(summary: RunSummary) -> str:
    errors = [
        f"**{node}**\n\n{_quoted(error)}" if node else _quoted(error)
        for node, error in summary.failures.items()
    ]
    if summary.unfinished:
        count = words.count(len(summary.unfinished), "node was", "nodes were")
        errors.append(f"{count} interrupted: {words.join_words(summary.unfinished)}.")
    if summary.missing:
        count = words.count(len(summary.missing), "node")
        errors.append(f"{count} did not run: {words.join_words(summary.missing)}.")
    return "\n\n".join(["## Errors", *errors]) if errors else ""


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
            (pairs.gone, "removed"),
        )
        if number
    ]
    changed = words.join_words(changes) if changes else "no changes"
    return f"{total} Since the previous run: {changed}."


def _promotion(promotion: Mapping[str, Any] | None) -> str:
    if promotion is None:
        return "This run made no decision."
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
    head = ["## Slowest nodes", "", "| node | |", "|---|---:|"]
    return "\n".join([*head, *rows])
