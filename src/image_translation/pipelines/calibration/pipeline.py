"""The calibration pipeline."""

from kedro.pipeline import Node, Pipeline, pipeline

from image_translation.pipelines import ingestion, preparation, splitting
from image_translation.pipelines.calibration.nodes import calibrate_verdicts


def create_pipeline(task: str) -> Pipeline:
    """From a source to the rate of false claims, namespaced ``<task>``."""
    calibration = Node(
        calibrate_verdicts,
        inputs=[
            "train_pairs",
            "validation_pairs",
            "scored_pairs",
            "calibration.workspace",
            "params:task",
        ],
        outputs=["calibration.trainings", "calibration.deals"],
        name="calibrate_verdicts",
        tags="calibration",
    )
    return pipeline(
        ingestion.create_pipeline()
        + splitting.create_pipeline()
        + preparation.create_pipeline()
        + Pipeline([calibration]),
        namespace=task,
        parameters={"params:task": f"params:{task}"},
    )
