"""All tasks on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd
from markupsafe import Markup

from image_translation.common import wording
from image_translation.common.names import BASELINES, TEST
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.answer import Answer, short_answer
from image_translation.reporting.hypothesis import Hypothesis, judge_hypothesis
from image_translation.reporting.templates import read_resource, read_template
from image_translation.reporting.typical import (
    RankedTile,
    describe_typical,
    rank_tiles,
)
from image_translation.statistics.comparison import (
    TaskResults,
    correct_for_tasks,
)
from image_translation.statistics.looks import subset_of


@dataclass(frozen=True)
class _Row:
    """A model's means on the metrics of the question; empty without scores."""

    model: str
    means: Sequence[str]
    is_best: Sequence[bool]


@dataclass(frozen=True)
class _Task:
    """The text of a task."""

    name: str
    title: str
    tested: str
    answer: Answer
    hypothesis: Hypothesis
    rows: Sequence[_Row]
    tiles: Sequence[RankedTile]
    about_typical: str


def render_summary(
    results: Mapping[str, TaskResults],
    tasks: Sequence[str],
    typical: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> str:
    """Write the page over all tasks.

    Args:
        results: Results by task.
        tasks: All tasks; those without results are listed.
        typical: Results of `typical_image` by task.

    Returns:
        An HTML document that refers only to the reports next to it.
    """
    order = [task for task in tasks if task in results]
    order += [task for task in results if task not in tasks]
    return read_template("summary.html").render(
        script=Markup(read_resource("copy_tables.js")),
        metrics=[MEASURES[metric] for metric in HEADLINES],
        tasks=[
            _describe_task(task, results[task], typical.get(task, {}), len(order))
            for task in order
        ],
        not_run=[task for task in tasks if task not in results],
    )


def _describe_task(
    task: str, results: TaskResults, typical: Mapping[str, Any], tasks: int
) -> _Task:
    table = results.comparison[results.comparison["metric"].isin(HEADLINES)]
    subset = subset_of(table)
    sealed = "" if subset == TEST else " (the test set is sealed)"
    images = int(table["n_images"].max())
    tested = (
        f"{wording.count(images, f'{subset} image')} from "
        f"{wording.count(int(table['n_groups'].max()), 'independent photograph')}, "
        f"{_trainings(table)} of each model{sealed}"
    )
    corrected = TaskResults(
        results.comparison,
        correct_for_tasks(results.verdicts, tasks),
        correct_for_tasks(results.effects, tasks),
    )
    return _Task(
        task,
        formatting.title(task),
        tested,
        short_answer(corrected),
        judge_hypothesis(corrected.verdicts, corrected.effects),
        _rows(table),
        rank_tiles(typical, results.comparison),
        describe_typical(typical, images, subset),
    )


def _trainings(table: pd.DataFrame) -> str:
    trained = ~table["model"].isin(BASELINES) & (table["n_images"] > 0)
    counts = table.loc[trained, "n_replicates"]
    if not len(counts):
        return wording.count(0, "training")
    return wording.count_between(int(counts.min()), int(counts.max()), "training")


def _rows(table: pd.DataFrame) -> list[_Row]:
    means = table.pivot(index="model", columns="metric", values="mean")
    means = means.reindex(index=table["model"].unique(), columns=list(HEADLINES))
    best = {metric: _best(means[metric], metric) for metric in HEADLINES}
    return [
        _Row(
            str(model),
            [formatting.value(metric, row[metric]) for metric in HEADLINES],
            [bool(row[metric] == best[metric]) for metric in HEADLINES],
        )
        for model, row in means.iterrows()
    ]


def _best(means: pd.Series, metric: str) -> float:
    return means.max() if MEASURES[metric].higher_is_better else means.min()
