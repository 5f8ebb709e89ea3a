"""The promotion pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.promotion.nodes import decide_promotion


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """From the trained models to the champion.

    Args:
        models: Names of all models and baselines.
    """
    results = {
        f"{model}.{thing}": f"{model}.{thing}"
        for model in models
        for thing in ("trained", "scores")
    }
    return Pipeline(
        [
            Node(
                decide_promotion,
                inputs={
                    "settings": "params:task",
                    "scored": "scored_pairs",
                    "split": "split",
                    "champions": "champion.workspace",
                    "log": "remembered_promotions",
                    "pair_looks": "remembered_pair_looks",
                    **results,
                },
                outputs=["promotion", "promotions", "pair_looks"],
                name="decide_promotion",
                tags="promotion",
            )
        ]
    )
