"""The ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.ingestion.nodes import form_pairs, list_source


def create_pipeline() -> Pipeline:
    """From a source to its manifest and the audit's findings."""
    return Pipeline(
        [
            Node(
                list_source,
                inputs=["params:source", "raw"],
                outputs="source",
                name="list_source",
            ),
            Node(
                form_pairs,
                inputs=[
                    "source",
                    "params:pairing",
                    "params:audit",
                    "params:preparation",
                ],
                outputs=["manifest", "findings"],
                name="form_pairs",
            ),
        ],
        tags="ingestion",
    )
