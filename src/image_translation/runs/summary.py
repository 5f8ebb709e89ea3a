"""Summary and exit code of a pipeline's run, derived from its record."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.common.files import write_text
from image_translation.reporting.run_summary import (
    PairCounts,
    RunSummary,
    render_run_summary,
)
from image_translation.runs.exit_codes import ExitCode
from image_translation.runs.record import RunRecord
from image_translation.runs.task_state import ModelState, TaskFolders, TaskState

SUMMARY = "run_summary.md"


def write_summary(
    folders: TaskFolders,
    record: RunRecord,
    expected: Collection[str] = (),
    is_mlflow_lost: bool = False,
) -> ExitCode:
    """Write the summary of a run beside the report.

    Args:
        folders: The folders of the task.
        record: The state of the run.
        expected: Nodes that were to run, where they are known.
        is_mlflow_lost: Whether MLflow lacks a part of the results.

    Returns:
        The exit code of the run.
    """
    after = TaskState.read(folders)
    if expected and record.seconds.keys() >= set(expected):
        record.failures.pop("", None)  # a retry succeeded
    known = {*record.seconds, *record.failures, *record.unfinished}
    missing = [node for node in expected if node not in known]
    code = exit_code(record, after, missing, is_mlflow_lost)
    report, cut_off = folders.reporting / "report.html", record.cut_off
    summary = RunSummary(
        task=folders.task,
        began=_local_time(record.began),
        seconds=record.ended - record.began,
        outcome=code.meaning,
        code=code,
        cut_off=(_local_time(cut_off.began), cut_off.nodes) if cut_off else None,
        failures={node: failure.error for node, failure in record.failures.items()},
        unfinished=record.unfinished,
        missing=missing,
        pairs=_count_pairs(record.before.pairs, after.pairs),
        models={
            name: _describe_model(model, record.before.models.get(name))
            for name, model in after.models.items()
        },
        promotion=_read_new(folders.reporting / "promotion.json", record.began),
        verdicts=_read_table(folders.reporting / "verdicts.csv"),
        effects=_read_table(folders.reporting / "effects.csv"),
        report=report.name if report.is_file() else None,
        is_report_new=_is_new(report, record.began),
        durations=record.seconds,
    )
    write_text(folders.reporting / SUMMARY, render_run_summary(summary))
    return code


def exit_code(
    record: RunRecord,
    after: TaskState,
    missing: Collection[str] = (),
    is_mlflow_lost: bool = False,
) -> ExitCode:
    """The exit code of a run.

    Args:
        record: The state of the run.
        after: The state on disk now.
        missing: Nodes that were to run and did not start.
        is_mlflow_lost: Whether MLflow lacks a part of the results.
    """
    if record.failures:
        return ExitCode(next(iter(record.failures.values())).code)
    if missing or record.unfinished:
        return ExitCode.FAILED
    if any(model.status == "failed" for model in after.models.values()):
        return ExitCode.MODEL_FAILED
    return ExitCode.MLFLOW_LOST if is_mlflow_lost else ExitCode.FINISHED


def _local_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds).astimezone()


def _count_pairs(before: Mapping[str, str], after: Mapping[str, str]) -> PairCounts:
    new = [verdict for pair, verdict in after.items() if pair not in before]
    used = sum(verdict == "used" for verdict in after.values())
    new_used = sum(verdict == "used" for verdict in new)
    return PairCounts(
        used=used,
        left_out=len(after) - used,
        new_used=new_used,
        new_left_out=len(new) - new_used,
        gone=sum(pair not in after for pair in before),
    )


def _describe_model(model: ModelState, before: ModelState | None) -> str:
    known = before.replicates if before else {}
    trained = [name for name, end in model.replicates.items() if known.get(name) != end]
    if model.status != "trained":
        return f"{model.status} ({model.reason})"
    if not trained:
        return "up to date"
    return f"trained ({', '.join(trained)})"


def _is_new(path: Path, began: float) -> bool:
    return path.is_file() and path.stat().st_mtime >= began


def _read_new(path: Path, began: float) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if _is_new(path, began) else None


def _read_table(path: Path) -> pd.DataFrame | None:
    known = path.is_file()
    return pd.read_csv(path, float_precision="round_trip") if known else None
