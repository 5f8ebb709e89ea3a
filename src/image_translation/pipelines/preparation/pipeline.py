"""The preparation pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.binding import bind
from image_translation.pipelines.preparation.nodes import (
    choose_scored_pairs,
    prepare_side,
)

SIDES = ("train", "validation", "test")


def create_pipeline() -> Pipeline:
    """From the split to arrays, a dataset for each side, and which of them is scored."""
    sides = [
        Node(
            bind(prepare_side, side=side),
            inputs=["source", "split", "params:pairing", "params:preparation"],
            outputs=f"{side}_pairs",
            name=f"prepare_{side}_pairs",
        )
        for side in SIDES
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
    return Pipeline([*sides, choice], tags="preparation")
