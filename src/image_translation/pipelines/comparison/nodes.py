"""Nodes of the comparison pipeline."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from image_translation import metrics
from image_translation.fingerprint import Deferred, code_digest, deferred_parts, digest
from image_translation.metrics.comparison import TaskResults
from image_translation.pairing.arrays import PairArrays
from image_translation.pipelines.comparison.content import by_model, collect_content
from image_translation.reporting.content import ReportContent
from image_translation.reporting.environment import describe_environment
from image_translation.sources import Source

SAMPLES = 8
"""Rows of the figure of samples; the report shows more."""


def compare_models(**results: pd.DataFrame) -> tuple[Deferred[pd.DataFrame], ...]:
    """Compare all models on the same test images.

    Args:
        **results: The scores of each model, by ``<model>.scores``, and what its images
            contribute to the distances between sets, by ``<model>.set_scores``.

    Returns:
        The tables of models, of verdicts and of effects.
    """
    fingerprint = digest(results, code_digest("image_translation.metrics"))
    return deferred_parts(fingerprint, lambda: _compare(results), 3)


def _compare(results: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, ...]:
    scores, contributions = by_model(results, "scores"), by_model(results, "set_scores")
    sets = {
        model: metrics.summarise_contributions(table)
        for model, table in contributions.items()
    }
    tables = [metrics.compare_models(scores), metrics.compare_sets(sets, scores)]
    return (
        pd.concat([table for table in tables if len(table)], ignore_index=True),
        metrics.compare_pairs(scores),
        metrics.compare_effects(scores),
    )


def draw_score_chart(comparison: pd.DataFrame) -> Any:
    """Draw the models' scores to point at; a Plotly figure."""
    from image_translation.reporting.interactive import score_chart

    return score_chart(comparison)


def write_summary(
    task: str,
    tasks: Sequence[str],
    others: Mapping[str, TaskResults],
    comparison: pd.DataFrame,
    verdicts: pd.DataFrame,
    effects: pd.DataFrame,
) -> str:
    """Write the page over all tasks.

    Args:
        task: Name of the task that has just been compared.
        tasks: Names of all tasks.
        others: What is known of every task.
        comparison: The table of models of this task.
        verdicts: Its table of verdicts.
        effects: Its table of effects.

    Returns:
        The page's HTML.
    """
    from image_translation.reporting.summary import render_summary

    newest = TaskResults(comparison, verdicts, effects)
    return render_summary({**others, task: newest}, tasks)


def write_report(
    task: str,
    settings: dict[str, Any],
    source: Source,
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    split: pd.DataFrame,
    tied: pd.DataFrame,
    test: PairArrays,
    comparison: pd.DataFrame,
    verdicts: pd.DataFrame,
    effects: pd.DataFrame,
    study: pd.DataFrame | None,
    key: Mapping[str, Any],
    promotion: Mapping[str, Any],
    promotions: pd.DataFrame,
    **results: Any,
) -> tuple[Deferred[Any], ...]:
    """Draw the figures and write the report of a task.

    Args:
        task: Name of the task.
        settings: All parameters of the task.
        source: Where the images come from.
        manifest: All pairs found.
        findings: What the audit found in them.
        split: All pairs used.
        tied: Pairs left out because they tie sides of the split together.
        test: The test pairs.
        comparison: The table of models.
        verdicts: The table of verdicts.
        effects: The table of effects.
        study: What people preferred, where they have judged.
        key: The key of the blind test of these predictions; a study of others is not
            shown.
        promotion: What was decided on the model in use.
        promotions: All decisions on it.
        **results: What came of each model, by ``<model>.trained``,
            ``<model>.predictions`` and ``<model>.scores``.

    Returns:
        The report's HTML; Matplotlib's figures of scores, curves, distributions and
        samples.
    """
    study = study if study is not None and set(study["page"]) == {key["page"]} else None
    environment = describe_environment()
    described = {name: value for name, value in environment.items() if name != "date"}
    # Not how often it was confirmed: that would be another report every night.
    decided = promotion["in_use"], promotion["outcome"] == "not decided"
    made_from = (
        (task, settings, source.name, source.credit, described),
        (manifest, findings, split, tied, test, comparison, verdicts, effects, study),
        (decided, promotions),
        results,
        {name: model.history() for name, model in by_model(results, "trained").items()},
        code_digest("image_translation.reporting", "image_translation.pipelines"),
    )
    content = partial(
        collect_content,
        task,
        settings,
        source,
        manifest,
        findings,
        split,
        tied,
        test,
        comparison,
        verdicts,
        effects,
        results,
        environment,
        study,
        promotion,
        promotions,
    )
    return deferred_parts(digest(*made_from), lambda: _draw(content()), 5)


def _draw(content: ReportContent) -> tuple[str, Any, Any, Any, Any]:
    from image_translation.reporting import figures
    from image_translation.reporting.page import render_report

    return (
        render_report(content),
        figures.comparison_chart(content.comparison),
        figures.learning_curves(content.histories),
        figures.score_distributions(content.scores, metrics.HEADLINES),
        figures.sample_grid(content.gallery[:SAMPLES], content.data.derived),
    )
