"""The blind test, a part of every task, and the study of its votes."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, pipeline

from image_translation.pipelines.human_study.nodes import study_votes, write_blind_test


def create_blind_test(models: Sequence[str]) -> Pipeline:
    """From the predictions of all models to the page of the blind test."""
    predictions = {f"{model}.predictions": f"{model}.predictions" for model in models}
    return Pipeline(
        [
            Node(
                write_blind_test,
                inputs={
                    "task": "params:name",
                    "settings": "params:report",
                    "test": "scored_pairs",
                    **predictions,
                },
                outputs=["blind_test", "blind_test_key"],
                name="write_blind_test",
            )
        ],
        tags="reporting",
    )


def create_pipeline(task: str) -> Pipeline:
    """From exported votes to rates, agreement and a figure, namespaced ``<task>``."""
    study = Node(
        study_votes,
        inputs=["params:votes", "judged_key"],
        outputs=["human_study", "human_agreement"],
        name="study_votes",
    )
    return pipeline(Pipeline([study], tags="human_study"), namespace=task)
