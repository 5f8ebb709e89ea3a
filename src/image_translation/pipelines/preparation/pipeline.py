"""The preparation pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.binding import bind
from image_translation.pipelines.preparation.nodes import (
    choose_scored_pairs,
    prepare_subset,
)

SUBSETS = ("train", "validation", "test")


def create_pipeline() -> Pipeline:
    """Prepare the arrays of each subset and choose the scored pairs."""
    subsets = [
        Node(
            bind(prepare_subset, subset=subset),
            inputs=["source", "split", "params:pairing", "params:preparation"],
            outputs=f"{subset}_pairs",
            name=f"prepare_{subset}_pairs",
        )
        for subset in SUBSETS
    ]
    choice = Node(
        choose_scored_pairs,
        inputs=[
            "test_pairs",
            "validation_pairs",
            "params:test",
            "params:pairing",
            "params:preparation",
        ],
        outputs="scored_pairs",
        name="choose_scored_pairs",
    )
    return Pipeline([*subsets, choice], tags="preparation")
