"""The comparison pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.comparison.nodes import (
    compare_models,
    count_looks,
    draw_score_chart,
    plan_study,
    write_report,
    write_summary,
)


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """From the scores of all models to tables, figures, the report and the summary."""
    scores = {
        f"{model}.{thing}": f"{model}.{thing}"
        for model in models
        for thing in ("trained", "scores", "set_scores")
    }
    scorings = {f"{model}.scorings": f"{model}.scorings" for model in models}
    results = {
        f"{model}.{thing}": f"{model}.{thing}"
        for model in models
        for thing in ("trained", "predictions", "scores")
    }
    return Pipeline(
        [
            Node(
                compare_models,
                inputs={"settings": "params:verdicts", **scores},
                outputs=["comparison", "verdicts", "effects"],
                name="compare_models",
            ),
            Node(
                count_looks,
                inputs={
                    "scored": "scored_pairs",
                    "known": "remembered_looks",
                    **scorings,
                },
                outputs="looks",
                name="count_looks",
            ),
            Node(
                plan_study,
                inputs=["comparison", "verdicts", "params:verdicts"],
                outputs="plan",
                name="plan_study",
            ),
            Node(
                draw_score_chart,
                inputs="comparison",
                outputs="score_chart",
                name="draw_score_chart",
            ),
            Node(
                write_report,
                inputs={
                    "settings": "params:task",
                    "source": "source",
                    "manifest": "manifest",
                    "findings": "findings",
                    "split": "split",
                    "tied": "tied_pairs",
                    "scored": "scored_pairs",
                    "comparison": "comparison",
                    "verdicts": "verdicts",
                    "effects": "effects",
                    "study": "remembered_study",
                    "key": "blind_test_key",
                    "promotion": "promotion",
                    "promotions": "promotions",
                    "looks": "looks",
                    "plan": "plan",
                    "calibration": "remembered_calibration",
                    **results,
                },
                outputs=[
                    "report",
                    "comparison_chart",
                    "learning_curves",
                    "score_distributions",
                    "sample_grid",
                    "typical_image",
                ],
                name="write_report",
            ),
            Node(
                write_summary,
                inputs=[
                    "params:name",
                    "task_results",
                    "typical_images",
                    "comparison",
                    "verdicts",
                    "effects",
                    "typical_image",
                ],
                outputs="summary",
                name="write_summary",
            ),
        ],
        tags="reporting",
    )
