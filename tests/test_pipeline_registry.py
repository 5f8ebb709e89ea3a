from collections import defaultdict
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro_viz.services.layers import sort_layers

from image_translation.common.names import BASELINES
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.pipeline_registry import MODELS, TASKS, register_pipelines
from tests.conftest import PROJECT

LAYERS = [
    "raw",
    "intermediate",
    "primary",
    "model_input",
    "models",
    "model_output",
    "reporting",
]


@pytest.fixture(scope="module")
def catalog():
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"), base_env="base", default_run_env="smoke"
    )
    return DataCatalog.from_config(loader["catalog"])


ALL_MODELS = (*MODELS, *BASELINES)


def layer_of(catalog, dataset):
    metadata = getattr(catalog.get(dataset), "metadata", None) or {}
    return metadata.get("kedro-viz", {}).get("layer")


@pytest.mark.parametrize("task", TASKS)
def test_layers_follow_each_other(catalog, task):
    """kedro-viz shows none at all where one comes both before and after another."""
    pipeline = register_pipelines()[task]
    follow = defaultdict(set)
    for node in pipeline.nodes:
        for dataset in node.inputs:
            follow[dataset].add(node.name)
        follow[node.name] |= set(node.outputs)
    for model in ALL_MODELS:  # kedro-viz draws each as one node, too
        part = pipeline.only_nodes_with_namespaces([f"{task}.{model}"])
        for dataset in part.inputs():
            follow[dataset].add(f"{task}.{model}")
        follow[f"{task}.{model}"] |= part.all_outputs()
    for dataset in pipeline.inputs():  # and the task
        follow[dataset].add(task)
    follow[task] |= pipeline.outputs()
    datasets = {name for name in pipeline.datasets() if "params:" not in name}
    drawn = {
        name: SimpleNamespace(
            layer=layer_of(catalog, name) if name in datasets else None
        )
        for name in {*follow, *pipeline.datasets()}
    }
    without = {name for name in datasets if not drawn[name].layer}
    assert without == {f"{task}.assignments"} | {
        f"{task}.{model}.{name}"
        for model in ALL_MODELS
        for name in ("remembered_scorings", "predictions.folder")
    }
    assert sort_layers(drawn, follow) == LAYERS
