"""The export pipeline."""

from kedro.pipeline import Node, Pipeline, pipeline

from image_translation.pipelines.export.nodes import export_models


def create_pipeline(task: str) -> Pipeline:
    """From trained models and their scores to exports for other runtimes."""
    export = Node(
        export_models,
        inputs={
            "settings": "params:task",
            "trained": "trained_models",
            "champions": "champion.workspace",
            "folder": "exports.folder",
            "train": "train_pairs",
            "validation": "validation_pairs",
            "source": "source",
            "split": "split",
            "comparison": "remembered_comparison",
            "verdicts": "remembered_verdicts",
        },
        outputs="exports",
        name="export_models",
    )
    return pipeline(
        Pipeline([export], tags="export"),
        namespace=task,
        parameters={"params:task": f"params:{task}"},
    )
