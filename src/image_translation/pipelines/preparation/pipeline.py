"""The preparation pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.common.names import SUBSETS
from image_translation.pipelines.preparation.nodes import (
    choose_scored_pairs,
    prepare_test_pairs,
    prepare_train_pairs,
    prepare_validation_pairs,
)

PREPARE = prepare_train_pairs, prepare_validation_pairs, prepare_test_pairs


def create_pipeline() -> Pipeline:
    """Prepare the arrays of each subset and choose the scored pairs."""
    subsets = [
        Node(
            prepare,
            inputs=[
                "source",
                "split",
                f"{subset}_pairs.folder",
                "params:pairing",
                "params:preparation",
            ],
            outputs=f"{subset}_pairs",
            name=f"prepare_{subset}_pairs",
        )
        for subset, prepare in zip(SUBSETS, PREPARE, strict=True)
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
