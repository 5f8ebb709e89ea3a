"""The model pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.model.nodes import (
    combine_trainings,
    count_scoring,
    score_prediction_sets,
    score_predictions,
    take_predictions,
    train_model,
    translate_pairs,
)


def create_pipeline() -> Pipeline:
    """From arrays to the scores of one model."""
    train = Node(
        train_model,
        inputs=["train_pairs", "validation_pairs", "workspace", "params:model"],
        outputs="trained",
        name="train",
        tags="training",
    )
    return Pipeline([train]) + _evaluate()


def create_ensemble() -> Pipeline:
    """From the trainings of a model, ``members``, to the scores of their mean."""
    combine = Node(
        combine_trainings,
        inputs=["members", "validation_pairs", "workspace"],
        outputs="trained",
        name="combine",
        tags="training",
    )
    return Pipeline([combine]) + _evaluate()


def create_external() -> Pipeline:
    """From predictions that another program made to their scores."""
    take = Node(
        take_predictions,
        inputs=[
            "params:external",
            "scored_pairs",
            "split",
            "predictions.folder",
            "params:preparation",
            "params:test",
        ],
        outputs=["trained", "predictions"],
        name="take",
        tags="inference",
    )
    return Pipeline([take]) + _score()


def _evaluate() -> Pipeline:
    """From a trained model to its scores."""
    translate = Node(
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
    )
    return Pipeline([translate]) + _score()


def _score() -> Pipeline:
    """From predictions to their scores."""
    return Pipeline(
        [
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
