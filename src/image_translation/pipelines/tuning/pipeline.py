"""The tuning pipeline."""

from kedro.pipeline import Node, Pipeline, pipeline

from image_translation.pipelines import ingestion, preparation, splitting
from image_translation.pipelines.tuning.nodes import tune_models


def create_pipeline(task: str) -> Pipeline:
    """From a source to the parameters that are best on the validation pairs."""
    tuning = Node(
        tune_models,
        inputs=["params:task", "train_pairs", "validation_pairs", "tuning.workspace"],
        outputs=[f"tuning.{x}" for x in ("trials", "history", "importance", "overlay")],
        name="tune_models",
        tags="tuning",
    )
    return pipeline(
        ingestion.create_pipeline()
        + splitting.create_pipeline()
        + preparation.create_pipeline()
        + Pipeline([tuning]),
        namespace=task,
        parameters={"params:task": f"params:{task}"},
    )
