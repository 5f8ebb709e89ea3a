"""The end of a run: its summary, and the exit code that alerting needs."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.reporting.run_summary import (
    PairCounts,
    RunSummary,
    render_run_summary,
)
from image_translation.runs.exit_codes import ExitCode
from image_translation.scheduling.journal import SUMMARY, Journal, RunRecord
from image_translation.scheduling.state import ModelState, TaskFolders, TaskState


def conclude(
    folders: TaskFolders, expected: Collection[str] = (), *, store_is_lost: bool = False
) -> int:
    """Write the summary of a run beside the report, and note that it is over.

    Args:
        folders: Those of the task.
        expected: Nodes that were to run, where that is known.
        store_is_lost: Whether the MLflow server has missed a part.

    Returns:
        The exit code: 0 if all is well.

    Raises:
        InputError: No run was begun.
    """
    journal = Journal(folders)
    record, after = journal.read(), TaskState.read(folders)
    cut_off = record.cut_off
    known = {*record.seconds, *record.failures, *record.unfinished}
    missing = [node for node in expected if node not in known]
    if expected and record.seconds.keys() >= set(expected):
        record.failures.pop("", None)  # what had failed there was done in the end
    code = _exit_code(record, after, missing)
    if code == ExitCode.FINISHED and store_is_lost:
        code = ExitCode.MLFLOW_LOST
    report = folders.reporting / "report.html"
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
            name: _tell_model(model, record.before.models.get(name))
            for name, model in after.models.items()
        },
        promotion=_read_new(folders.reporting / "promotion.json", record.began),
        verdicts=_read_table(folders.reporting / "verdicts.csv"),
        effects=_read_table(folders.reporting / "effects.csv"),
        report=report.name if report.is_file() else None,
        is_report_new=_is_new(report, record.began),
        durations=record.seconds,
    )
    folders.reporting.mkdir(parents=True, exist_ok=True)
    path = folders.reporting / SUMMARY
    path.write_text(render_run_summary(summary), "utf-8")
    journal.end()
    return code


def _local_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds).astimezone()


def _exit_code(
    record: RunRecord, after: TaskState, missing: Collection[str]
) -> ExitCode:
    if record.failures:
        return ExitCode(next(iter(record.failures.values())).code)
    if missing or record.unfinished:
        return ExitCode.FAILED
    failed = any(model.status == "failed" for model in after.models.values())
    return ExitCode.MODEL_FAILED if failed else ExitCode.FINISHED


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


def _tell_model(model: ModelState, before: ModelState | None) -> str:
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
