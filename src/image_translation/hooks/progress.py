"""Kedro hooks that count the trainings of a run, for the time that is left."""

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from image_translation.common.names import ENSEMBLE

TRAINING = "training"
"""Tag of the nodes that train a model."""


class ProgressHooks:
    """Sets the number of trainings that are left before each model."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Count the trainings of each model."""
        nodes = [
            node
            for node in pipeline.nodes
            if TRAINING in node.tags and not (node.namespace or "").endswith(ENSEMBLE)
        ]
        self._counts = {node.name: _count(node, catalog) for node in nodes}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note the trainings that are left; replicates that are up to date count too."""
        if node.name in self._counts:
            from image_translation.training.progress import plan

            plan.left = sum(self._counts.values())
            del self._counts[node.name]


def _count(node: Node, catalog: CatalogProtocol) -> int:
    model = catalog.load(f"params:{node.namespace}")
    is_trained = model.enabled and model.is_trainable
    return model.training.replicates if is_trained else 0
