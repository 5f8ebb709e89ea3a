"""The model pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.model.nodes import (
    count_scoring,
    score_prediction_sets,
    score_predictions,
    train_model,
    translate_pairs,
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
                translate_pairs,
                inputs=[
                    "trained",
                    "scored_pairs",
                    "predictions.folder",
                    "params:model.inference",
                    "params:test",
                ],
                outputs="predictions",
                name="translate",
                tags="inference",
            ),
            Node(
                score_predictions,
                inputs=[
                    "predictions",
                    "scored_pairs",
                    "params:learned_metrics",
                    "params:test",
                ],
                outputs="scores",
                name="score",
                tags="scoring",
            ),
            Node(
                score_prediction_sets,
                inputs=[
                    "predictions",
                    "scored_pairs",
                    "params:learned_metrics",
                    "params:test",
                ],
                outputs="set_scores",
                name="score_sets",
                tags="scoring",
            ),
            Node(
                count_scoring,
                inputs=["scores", "scored_pairs", "remembered_scorings"],
                outputs="scorings",
                name="count_scoring",
                tags="scoring",
            ),
        ]
    )
