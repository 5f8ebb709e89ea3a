"""The translation pipeline."""

from kedro.pipeline import Node, Pipeline, pipeline

from image_translation.pipelines.translate.nodes import translate_photographs


def create_pipeline(task: str) -> Pipeline:
    """From trained models and a folder of photographs to a folder of translations.

    The result is not a dataset, because the folders are the user's own.
    """
    translate = Node(
        translate_photographs,
        inputs=["params:task", "trained_models", "champion.workspace", "exports"],
        outputs="translated",
        name="translate_photographs",
    )
    return pipeline(
        Pipeline([translate], tags="translate"),
        namespace=task,
        parameters={"params:task": f"params:{task}"},
    )
