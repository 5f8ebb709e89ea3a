"""Nodes of the comparison pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from image_translation import metrics
from image_translation.common.errors import InputError
from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import Stamped, make_all_if_stale, make_if_stale
from image_translation.config.task_settings import TaskSettings
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pipeline_registry import all_tasks
from image_translation.pipelines.clock import timestamp
from image_translation.pipelines.comparison.report import by_model, collect_content
from image_translation.reporting.environment import describe_environment
from image_translation.reporting.report_content import ReportContent
from image_translation.sources import Source
from image_translation.statistics import planning
from image_translation.statistics.comparison import TaskResults, compare_task
from image_translation.statistics.looks import gather_looks, note_seal, subset_of
from image_translation.statistics.settings import VerdictSettings
from image_translation.training.trained import TrainedModel

CHANGING = "date", "commit"
"""Parts of the environment that change no results: the report keeps those it was made with."""

SAMPLES = 8
"""Rows of the figure of samples; the report shows more."""


def compare_models(
    settings: VerdictSettings, **results: Any
) -> tuple[Stamped[pd.DataFrame], ...]:
    """Compare all models on the same images.

    Args:
        settings: The margins of practical equality.
        **results: Trained models by ``<model>.trained``, their scores by
            ``<model>.scores``, and the contributions of their images to the distances
            between sets by ``<model>.set_scores``.

    Returns:
        The tables of models, of verdicts and of effects.

    Raises:
        InputError: Some models were scored on test pairs, some on validation pairs.
    """
    scores, sets = by_model(results, "scores"), by_model(results, "set_scores")
    trained: dict[str, TrainedModel] = by_model(results, "trained")
    failed = [name for name, model in trained.items() if model.status == "failed"]
    subset = _find_subset(scores)
    made_from = fingerprint(
        f"{__name__}._compare",
        verdicts=settings,
        scores=scores,
        set_scores=sets,
        failed=failed,
        subset=subset,
    )
    return make_all_if_stale(
        made_from, lambda: _compare(scores, sets, settings, failed, subset), 3
    )


def _compare(
    scores: Mapping[str, pd.DataFrame],
    sets: Mapping[str, pd.DataFrame],
    settings: VerdictSettings,
    failed: Sequence[str],
    subset: str,
) -> tuple[pd.DataFrame, ...]:
    joined = {name: _join(frame, sets[name]) for name, frame in scores.items()}
    margins = settings.margins.model_dump()
    tables = compare_task(joined, margins=margins, failed=failed)
    return tuple(table.assign(subset=subset) for table in tables)


def _join(scores: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Scores of images, joined with their contributions to the distances between
    sets.
    """
    keys = ["pair_id", "replicate"]
    known = [name for name in sets if name in metrics.SET_METRICS]
    return scores.merge(sets[[*keys, *known]], on=keys) if len(scores) else scores


def _find_subset(scores: Mapping[str, pd.DataFrame]) -> str:
    """The subset of all scores."""
    subsets = {name: subset_of(table) for name, table in scores.items() if len(table)}
    if len(set(subsets.values())) > 1:
        listed = ", ".join(f"{name}: {subset}" for name, subset in subsets.items())
        raise InputError(
            f"The models were scored on different pairs ({listed}), because test.sealed "
            "has changed. Score them again: run the task's pipeline without --namespaces"
        )
    return next(iter(subsets.values()), "test")


def count_looks(
    scored: ScoredPairs, known: pd.DataFrame | None, **scorings: pd.DataFrame
) -> pd.DataFrame:
    """Count the evaluations on the test set.

    Args:
        scored: The scored pairs.
        known: The evaluations counted before, or None.
        **scorings: Evaluations of each model, by ``<model>.scorings``.
    """
    from image_translation.runs.parent_runs import identify_run

    looks = gather_looks(known, by_model(scorings, "scorings"))
    if scored.is_sealed:
        return note_seal(looks, scored.test_set, identify_run(), timestamp())
    return looks


def plan_study(
    comparison: pd.DataFrame, verdicts: pd.DataFrame, settings: VerdictSettings
) -> pd.DataFrame:
    """Numbers of photographs and trainings that detect a difference as large as its
    margin.
    """
    return planning.plan_study(comparison, verdicts, settings.margins.model_dump())


def draw_score_chart(comparison: pd.DataFrame) -> Stamped[Any]:
    """Draw an interactive chart of the models' scores; a Plotly figure."""

    def draw() -> Any:
        from image_translation.reporting.interactive import score_chart

        return score_chart(comparison)

    made_from = fingerprint(f"{__name__}.draw_score_chart", comparison=comparison)
    return make_if_stale(made_from, draw)


def write_summary(
    task: str,
    others: Mapping[str, TaskResults],
    images: Mapping[str, Mapping[str, Any]],
    comparison: pd.DataFrame,
    verdicts: pd.DataFrame,
    effects: pd.DataFrame,
    typical_image: Mapping[str, Any],
) -> Stamped[str]:
    """Write the page over all tasks.

    Args:
        task: Name of the task that has just been compared.
        others: Results of every task.
        images: Typical image of every task.
        comparison: The table of models of this task.
        verdicts: Its table of verdicts.
        effects: Its table of effects.
        typical_image: Its typical image.

    Returns:
        The page's HTML.
    """
    results = {**others, task: TaskResults(comparison, verdicts, effects)}
    typical = {**images, task: typical_image}

    def render() -> str:
        from image_translation.reporting.summary import render_summary

        return render_summary(results, all_tasks(), typical)

    made_from = fingerprint(
        f"{__name__}.write_summary",
        tasks=all_tasks(),
        results=results,
        typical=typical,
    )
    return make_if_stale(made_from, render)


def write_report(
    settings: TaskSettings,
    scored: ScoredPairs,
    study: pd.DataFrame | None,
    key: Mapping[str, Any],
    promotion: Mapping[str, Any],
    source: Source,
    **inputs: Any,
) -> tuple[Stamped[Any], ...]:
    """Draw the figures and write the report of a task.

    Args:
        settings: All parameters of the task.
        scored: The scored pairs: the test pairs, unless they are sealed.
        study: Preferences of judges, if there is a study.
        key: The key of the blind test of these predictions; studies of other
            predictions are not shown.
        promotion: The last promotion decision.
        source: The source of the images.
        **inputs: All else that `collect_content` needs.

    Returns:
        The report's HTML; figures of scores, curves, distributions and samples as PNG;
        the typical image, for the page over all tasks.
    """
    scored.check_seal(settings.test.sealed)
    study = study if study is not None and set(study["page"]) == {key["page"]} else None
    environment = describe_environment()
    made_from = fingerprint(
        f"{__name__}.write_report",
        "image_translation.training.trained",
        settings=settings,
        scored_pairs=scored,
        study=study,
        source={"name": source.name, "credit": source.credit},
        inputs=inputs,
        # Without the number of confirmations, which would change the report every night.
        promotion=(promotion["in_use"], promotion["outcome"] == "not decided"),
        histories={n: m.history() for n, m in by_model(inputs, "trained").items()},
        environment={n: v for n, v in environment.items() if n not in CHANGING},
    )
    return make_all_if_stale(
        made_from,
        lambda: _draw(
            collect_content(
                settings,
                scored,
                source,
                study=study,
                promotion=promotion,
                environment=environment,
                **inputs,
            )
        ),
        6,
    )


def _draw(
    content: ReportContent,
) -> tuple[str, bytes, bytes, bytes, bytes, dict[str, Any]]:
    from image_translation.reporting import figures
    from image_translation.reporting.drawings import draw_figures
    from image_translation.reporting.page import render_report
    from image_translation.reporting.typical import typical_image

    drawings = draw_figures(content)
    items, derived = content.gallery[:SAMPLES], content.data.derived
    curves = figures.to_png(
        [*drawings.curves.values()], figures.legend(content.histories)
    )
    return (
        render_report(content, drawings),
        figures.to_png([*drawings.comparison.values()]),
        curves,
        figures.to_png([*drawings.distributions.values()]),
        figures.sample_grid(items, derived),
        typical_image(content),
    )
