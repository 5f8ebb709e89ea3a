"""The preparation pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.binding import bind
from image_translation.pipelines.preparation.nodes import prepare_side

SIDES = ("train", "validation", "test")


def create_pipeline() -> Pipeline:
    """From the split to arrays, a dataset for each side."""
    return Pipeline(
        [
            Node(
                bind(prepare_side, side=side),
                inputs=["source", "split", "params:pairing", "params:preparation"],
                outputs=f"{side}_pairs",
                name=f"prepare_{side}_pairs",
            )
            for side in SIDES
        ],
        tags="preparation",
    )
