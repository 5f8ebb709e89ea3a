"""The model pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.model.nodes import (
    score_prediction_sets,
    score_predictions,
    train_model,
    translate_test_pairs,
)


def create_pipeline() -> Pipeline:
    """From arrays to the scores of one model."""
    return Pipeline(
        [
            Node(
                train_model,
                inputs=[
                    "train_pairs",
                    "validation_pairs",
                    "workspace",
                    "params:model",
                ],
                outputs="trained",
                name="train",
                tags="training",
            ),
            Node(
                translate_test_pairs,
                inputs=["trained", "test_pairs", "params:model.inference"],
                outputs="predictions",
                name="translate",
                tags="inference",
            ),
            Node(
                score_predictions,
                inputs=["predictions", "test_pairs", "params:learned_metrics"],
                outputs="scores",
                name="score",
                tags="scoring",
            ),
            Node(
                score_prediction_sets,
                inputs=["predictions", "test_pairs", "params:learned_metrics"],
                outputs="set_scores",
                name="score_sets",
                tags="scoring",
            ),
        ]
    )
