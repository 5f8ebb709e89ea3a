"""Calls that log values to runs in MLflow, each with an explicit run id."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.names import BASELINES, TEST
from image_translation.common.spreadsheets import to_csv
from image_translation.runs.mlflow_position import read_run_id
from image_translation.runs.store import client
from image_translation.training.trained import TrainedModel

PARAMETERS_PER_BATCH = 100  # MLflow's limit
LONGEST = 6000
"""Characters of a parameter; MLflow's limit."""


def log_parameters(run_id: str, parameters: Mapping[str, Any]) -> None:
    """Log parameters one by one, in few requests."""
    from mlflow.entities import Param

    items = [Param(name, str(value)[:LONGEST]) for name, value in parameters.items()]
    for start in range(0, len(items), PARAMETERS_PER_BATCH):
        client().log_batch(run_id, params=items[start : start + PARAMETERS_PER_BATCH])


def log_metrics(run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
    """Log the metrics of one step in one request."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    items = [Metric(name, float(value), now, step) for name, value in metrics.items()]
    if items:
        client().log_batch(run_id, metrics=items)


def log_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Log tags in one request."""
    from mlflow.entities import RunTag

    items = [RunTag(name, value) for name, value in tags.items()]
    if items:
        client().log_batch(run_id, tags=items)


def log_inputs(run_id: str, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Log the data that a run receives.

    Args:
        run_id: The run.
        inputs: ``name``, ``context``, ``fingerprint`` and ``n_pairs`` of each.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    items = [
        DatasetInput(
            Dataset(
                name=given["name"],
                digest=given["fingerprint"][:16],
                source_type="local",
                source=given["name"],
                profile=f'{{"num_pairs": {given["n_pairs"]}}}',
            ),
            [InputTag("mlflow.data.context", given["context"])],
        )
        for given in inputs
    ]
    if items:
        client().log_inputs(run_id, items)


def log_image(run_id: str, image: NDArray[np.uint8], key: str, step: int) -> None:
    """Log an image, uint8 H×W×3, as a step of a series."""
    client().log_image(run_id, image=image, key=key, step=step)


def log_scores(trained: TrainedModel, scores: pd.DataFrame) -> None:
    """Add the mean scores of each replicate to its child run.

    Their names are ``test/<metric>``, or ``sealed/<metric>`` for validation pairs that
    replace a sealed test set; ``validation/<metric>`` are the curves of the training.
    Metrics of the study's question also have the ends of their 95 % intervals.

    Args:
        trained: The model.
        scores: Its ``scores.csv``.
    """
    from image_translation.metrics import MEASURES
    from image_translation.statistics.comparison import compare_models

    untracked = [name for name, measure in MEASURES.items() if not measure.is_tracked]
    scores = scores.drop(columns=untracked, errors="ignore")
    for replicate in trained.replicates:
        run_id = read_run_id(replicate.folder)
        rows = scores[scores["replicate"] == replicate.replicate]
        if run_id is None or rows.empty:
            continue
        means = _name_means(compare_models({"": rows}), scores)
        if client().get_run(run_id).data.metrics.items() >= means.items():
            continue
        log_metrics(run_id, means)


def _name_means(means: pd.DataFrame, scored: pd.DataFrame) -> dict[str, float]:
    """The metrics that people compare, by their names in MLflow.

    Args:
        means: Rows of ``comparison.csv`` of one model.
        scored: A table with the column ``subset``.
    """
    from image_translation.metrics import HEADLINES, MEASURES
    from image_translation.statistics.looks import subset_of

    place = TEST if subset_of(scored) == TEST else "sealed"
    named = {}
    for row in means.to_dict("records"):
        metric = row["metric"]
        if not MEASURES[metric].is_tracked:
            continue
        named[f"{place}/{metric}"] = row["mean"]
        if metric in HEADLINES:
            named[f"{place}/{metric}_low"] = row["ci_low"]
            named[f"{place}/{metric}_high"] = row["ci_high"]
    return {name: value for name, value in named.items() if np.isfinite(value)}


def link_replicates(parent: str, name: str, trained: TrainedModel) -> None:
    """Link the child runs of a model, also older ones, in the tags of a parent run."""
    for replicate in trained.replicates:
        run_id = read_run_id(replicate.folder)
        if run_id is not None:
            client().set_tag(parent, f"{name}.replicate-{replicate.replicate}", run_id)


def log_findings(run_id: str, findings: pd.DataFrame) -> None:
    """Log the findings of the audit to a parent run: their number and the table."""
    warned = findings.loc[findings["severity"] != "info", "count"].sum()
    log_metrics(run_id, {"audit/warnings": warned})
    client().log_text(run_id, to_csv(findings) or "", "audit/findings.csv")


def log_comparison(run_id: str, comparison: pd.DataFrame, folder: Path) -> None:
    """Log the best model and every file of the report to a parent run.

    The tag ``best_model`` names the trained model with the best mean PSNR; the metrics
    are those of a child run, over its trainings. The summary is excluded, because it is
    written when the run ends.

    Args:
        run_id: The parent run.
        comparison: ``comparison.csv``.
        folder: The task's reporting folder.
    """
    from image_translation.reporting.answer import rank_models

    ranked = rank_models(comparison[~comparison["model"].isin(BASELINES)])
    if len(ranked):
        best = str(ranked.index[0])
        means = comparison[comparison["model"] == best]
        log_tags(run_id, {"best_model": best})
        log_metrics(run_id, _name_means(means, comparison))
    for file in sorted(folder.glob("[!.]*.*")):
        if file.name != "run_summary.md":
            client().log_artifact(run_id, str(file), "report")


def describe_runs(run_id: str, answer: str, promotion: Mapping[str, Any]) -> None:
    """Make the short answer the description of a parent run and of its model version.

    Args:
        run_id: The parent run.
        answer: The short answer.
        promotion: ``promotion.json``; names the version that the run registered.
    """
    log_tags(run_id, {"mlflow.note.content": answer})
    challenger = promotion["challenger"] or {}
    if challenger.get("version"):
        described = (
            f"{challenger['model']}, replicate {challenger['replicate']}.\n{answer}"
        )
        version = str(challenger["version"])
        client().update_model_version(promotion["task"], version, described)


def log_study(run_id: str, study: pd.DataFrame) -> None:
    """Log the agreement of the judges and their preferences to a parent run.

    Args:
        run_id: The parent run.
        study: ``human_study.csv``.
    """
    agreement = study[["agreement", "alpha"]].iloc[0].dropna().add_prefix("human/")
    log_metrics(run_id, {str(name): value for name, value in agreement.items()})
    client().log_text(run_id, to_csv(study) or "", "report/human_study.csv")


def log_promotion(run_id: str, promotion: Mapping[str, Any]) -> None:
    """Log a decision on the champion to a parent run, as tags, metric and record.

    Args:
        run_id: The parent run.
        promotion: ``promotion.json``.
    """
    from image_translation.statistics.promotion_rule import format_probability

    in_use = promotion["in_use"] or {}
    tags = {
        "promotion": promotion["outcome"],
        "promotion.reason": promotion["reason"],
        "champion": f"version {in_use['version']}: {in_use['model']}"
        if in_use
        else "unknown"
        if promotion["outcome"] == "not decided" and not promotion.get("is_sealed")
        else "none",
    }
    metric, test = promotion["metric"], promotion.get("test") or {}
    if metric is not None:
        log_metrics(run_id, {"promotion/difference": metric["difference"]})
    if metric is not None and "alpha" in test:
        alpha, left = map(format_probability, (test["alpha"], test["alpha_left"]))
        tags["promotion.look"] = f"{test['looks']} (alpha {alpha}, {left} left)"
    for name, value in tags.items():
        client().set_tag(run_id, name, value)
    client().log_dict(run_id, dict(promotion), "promotion.json")


def log_tuning(run_id: str, trials: pd.DataFrame, files: list[Path]) -> None:
    """Log the result of a tuning to a parent run: best scores, tables and figures.

    Args:
        run_id: The parent run.
        trials: ``trials.csv``.
        files: The files to upload; missing ones are skipped.
    """
    from image_translation.metrics import METRICS

    complete = trials[trials["state"] == "complete"]
    best = {}
    for (model, metric), rows in complete.groupby(["model", "metric"]):
        scores = rows["score"]
        higher = METRICS[str(metric)].higher_is_better
        best[f"{model}/tuning/{metric}"] = scores.max() if higher else scores.min()
    log_metrics(run_id, best)
    for file in filter(Path.is_file, files):
        client().log_artifact(run_id, str(file), "tuning")
