"""The splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from image_translation.pipelines.splitting.nodes import assign_subsets


def create_pipeline() -> Pipeline:
    """From the manifest to the split."""
    return Pipeline(
        [
            Node(
                assign_subsets,
                inputs=[
                    "manifest",
                    "findings",
                    "remembered_split",
                    "remembered_assignments",
                    "source",
                    "params:splitting",
                    "params:audit",
                ],
                outputs=["split", "tied_pairs", "assignments"],
                name="assign_subsets",
            )
        ],
        tags="splitting",
    )
