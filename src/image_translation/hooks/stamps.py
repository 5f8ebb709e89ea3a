"""Kedro hook that passes the fingerprints of stored outputs to nodes."""

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from image_translation.common.stamps import Fingerprinting, begin_node


class StampHooks:
    """Sets the fingerprints of a node's stored outputs before the node runs."""

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Set the fingerprints that all stamped outputs of the node share."""
        outputs = (catalog.get(name) for name in node.outputs)
        stored = [
            output.stored_fingerprints()
            for output in outputs
            if isinstance(output, Fingerprinting)
        ]
        begin_node(set.intersection(*stored) if stored else (), node.name)
