from types import SimpleNamespace

import pytest
from kedro.pipeline import Node, Pipeline

from image_translation.hooks.progress import ProgressHooks
from image_translation.training.progress import plan


class Catalog:
    def load(self, name):
        model = name.rpartition(".")[2]
        return SimpleNamespace(
            enabled=model != "autoencoder",
            is_trainable=model != "copy_input",
            training=SimpleNamespace(replicates=3),
        )


@pytest.fixture
def nodes():
    names = ("autoencoder", "copy_input", "pix2pix", "unet")
    return [
        Node(
            lambda x: x,
            f"{name}.in",
            f"{name}.out",
            name="train",
            tags="training",
            namespace=f"monet.{name}",
        )
        for name in names
    ]


def test_trainings_that_are_left_are_counted_before_each_model(nodes):
    hooks = ProgressHooks()
    hooks.before_pipeline_run(Pipeline(nodes), Catalog())
    left = []
    for node in nodes:
        hooks.before_node_run(node)
        left.append(plan.left)
    assert left == [6, 6, 6, 3]
    hooks.before_node_run(Node(lambda: 1, None, "x", name="other"))
    assert plan.left == 3
    plan.left = 0
