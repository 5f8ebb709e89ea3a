"""Summary and exit code of a pipeline's run, derived from its record."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.common import wording
from image_translation.common.files import write_text
from image_translation.common.names import BASELINES
from image_translation.reporting import formatting
from image_translation.reporting.answer import Answer, short_answer
from image_translation.runs.exit_codes import ExitCode, exit_code
from image_translation.runs.pipeline_run import SUMMARY, PipelineRun
from image_translation.runs.record import CutOff, RunRecord
from image_translation.runs.task_state import ModelState, TaskState
from image_translation.statistics.comparison import TaskResults

REPORT = "report.html"

LONGEST = 8
"""Number of nodes whose durations are shown."""


def write_summary(
    run: PipelineRun, expected: Collection[str] = (), *, is_mlflow_lost: bool = False
) -> ExitCode:
    """Write the summary of a run, a page of Markdown, beside the report.

    Args:
        run: The run.
        expected: Nodes that were to run, where they are known.
        is_mlflow_lost: Whether MLflow lacks a part of the results.

    Returns:
        The exit code of the run.

    Raises:
        InputError: The log of the run cannot be read.
    """
    record, after = run.read(), TaskState.read(run.folders)
    if expected and record.seconds.keys() >= set(expected):
        record.failures.pop("", None)  # a retry succeeded
    known = {*record.seconds, *record.failures, *record.unfinished}
    missing = [node for node in expected if node not in known]
    reporting = run.folders.reporting
    decided = _read_promotion(reporting / "promotion.json", record.began)
    is_champion_lost = decided.get("is_champion_lost", False)
    code = exit_code(record, after, missing, is_mlflow_lost, is_champion_lost)
    parts = [
        f"# {run.folders.task}: {code.meaning}",
        f"Started {_format(record.began)}, took "
        f"{formatting.duration(record.ended - record.began)}, exit code {code:d}.",
        _cut_off(record.cut_off) if record.cut_off else "",
        _failures(record, missing),
        "## Pairs",
        _pairs(record.before, after),
        "## Models",
        _listed(
            f"{name}: {_model(name, model, record.before.models.get(name))}"
            for name, model in after.models.items()
        )
        or "No model has been trained yet.",
        "## Model in use",
        _promotion(decided),
        "## Answer",
        _answer(reporting, record.began),
        _durations(record),
    ]
    write_text(reporting / SUMMARY, "\n\n".join(filter(None, parts)) + "\n")
    return code


def _format(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _cut_off(cut_off: CutOff) -> str:
    where = f" in {wording.join_words(cut_off.nodes)}" if cut_off.nodes else ""
    began = _format(cut_off.began)
    return f"The previous run, started {began}, was interrupted{where}."


def _failures(record: RunRecord, missing: Sequence[str]) -> str:
    errors = [
        f"**{node}**\n\n{_quoted(failure.error)}" if node else _quoted(failure.error)
        for node, failure in record.failures.items()
    ]
    if record.unfinished:
        count = wording.count(len(record.unfinished), "node was", "nodes were")
        errors.append(f"{count} interrupted: {wording.join_words(record.unfinished)}.")
    if missing:
        count = wording.count(len(missing), "node")
        errors.append(f"{count} did not run: {wording.join_words(missing)}.")
    return "\n\n".join(["## Errors", *errors]) if errors else ""


def _quoted(error: str) -> str:
    return "\n".join(f"    {line}" for line in error.splitlines())


def _pairs(before: TaskState, after: TaskState) -> str:
    used = sum(verdict == "used" for verdict in after.pairs.values())
    new = [verdict for pair, verdict in after.pairs.items() if pair not in before.pairs]
    new_used = sum(verdict == "used" for verdict in new)
    removed = sum(pair not in after.pairs for pair in before.pairs)
    counts = {
        "new and used": new_used,
        "new and left out": len(new) - new_used,
        "removed": removed,
    }
    changes = [f"{count:,} {name}" for name, count in counts.items() if count]
    return (
        f"{wording.count(used, 'pair')} used, {len(after.pairs) - used:,} left out "
        "(`manifest.csv` has the reasons). Since the previous run: "
        f"{wording.join_words(changes) if changes else 'no changes'}."
    )


def _model(name: str, model: ModelState, before: ModelState | None) -> str:
    known = before.replicates if before else {}
    trained = [r for r, end in model.replicates.items() if known.get(r) != end]
    if model.status != "trained":
        return f"{model.status} ({model.reason})"
    if not trained:
        return "up to date"
    return "computed" if name in BASELINES else f"trained ({', '.join(trained)})"


def _read_promotion(file: Path, began: float) -> dict[str, Any]:
    """The promotion decision of this run; empty without a decision."""
    return json.loads(file.read_text("utf-8")) if _is_new(file, began) else {}


def _promotion(promotion: Mapping[str, Any]) -> str:
    if not promotion:
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


def _answer(reporting: Path, began: float) -> str:
    answer = read_answer(reporting)
    report = reporting / REPORT
    if answer is None or not report.is_file():
        return "No report exists yet."
    age = "" if _is_new(report, began) else " of an earlier run"
    return f"{answer.best}\n\n{answer.adversarial}\n\n[Report]({report.name}){age}"


def read_answer(reporting: Path) -> Answer | None:
    """The short answer from the tables of a task; None without tables."""
    tables = [reporting / f"{name}.csv" for name in TaskResults._fields]
    if not all(table.is_file() for table in tables):
        return None
    read = [pd.read_csv(table, float_precision="round_trip") for table in tables]
    return short_answer(TaskResults(*read))


def _is_new(path: Path, began: float) -> bool:
    return path.is_file() and path.stat().st_mtime >= began


def _durations(record: RunRecord) -> str:
    longest = sorted(record.seconds.items(), key=lambda item: -item[1])[:LONGEST]
    if not longest:
        return ""
    rows = [f"| {node} | {formatting.duration(seconds)} |" for node, seconds in longest]
    head = ["## Slowest nodes", "", "| node | |", "|---|---:|"]
    return "\n".join([*head, *rows])
