import pytest
from kedro.io import DataCatalog
from kedro_viz.api.rest.responses import pipelines as rest
from kedro_viz.data_access.managers import DataAccessManager

from image_translation.common.names import BASELINES
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.pipeline_registry import TASKS, register_pipelines
from image_translation.pipelines.task import create_pipeline
from tests.conftest import ON_BY_DEFAULT, PROJECT

PREPARED = ["raw", "intermediate", "primary", "model_input"]
LAYERS = {
    **dict.fromkeys(TASKS, [*PREPARED, "models", "model_output", "reporting"]),
    "tuning": [*PREPARED, "models", "reporting"],
    "calibration": [*PREPARED, "reporting"],
}
WITHOUT = {
    *("assignments", "remembered_assignments", "remembered_split"),
    *(f"{subset}_pairs.folder" for subset in ("train", "validation", "test")),
}
"""What would put a layer both before and after another, so that none is drawn."""
OF_MODELS = {"champion.workspace"} | {
    f"{model}.{name}"
    for model in (*ON_BY_DEFAULT, *BASELINES)
    for name in ("workspace", "remembered_scorings", "predictions.folder")
}


def open_catalog():
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"), base_env="base", default_run_env="smoke"
    )
    return DataCatalog.from_config(loader["catalog"])


@pytest.fixture(scope="module")
def kedro_viz():
    """kedro-viz's server, without the network."""
    pipelines, shown = register_pipelines(), DataAccessManager()
    shown.add_catalog(open_catalog(), pipelines)
    shown.add_pipelines(pipelines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rest, "data_access_manager", shown)
        yield rest.get_pipeline_response


@pytest.mark.parametrize("name", LAYERS)
def test_kedro_viz_draws_the_layers_in_order(kedro_viz, name):
    graph = kedro_viz(name)
    used = {getattr(node, "layer", None) for node in graph.nodes}
    assert [layer for layer in graph.layers if layer in used] == LAYERS[name]


@pytest.mark.parametrize("name", LAYERS)
def test_every_dataset_has_a_layer_that_can_have_one(kedro_viz, name):
    found = {node.name for node in kedro_viz(name).nodes if is_plain(node)}
    within = OF_MODELS if name in TASKS else {f"{name}.workspace"}
    tasks = [name] if name in TASKS else TASKS
    assert found == {f"{task}.{thing}" for task in tasks for thing in WITHOUT | within}


def test_kedro_viz_draws_an_ensemble(kedro_viz, monkeypatch):
    models = ("unet", "unet_ensemble", *BASELINES)
    task = {"colorization": create_pipeline("colorization", models)}
    shown = DataAccessManager()
    shown.add_catalog(open_catalog(), task)
    shown.add_pipelines(task)
    monkeypatch.setattr(rest, "data_access_manager", shown)
    graph = kedro_viz("colorization")
    assert graph.layers == LAYERS["colorization"]
    assert "colorization.unet_ensemble" in graph.modular_pipelines


def is_plain(node) -> bool:
    """True for data without a layer."""
    return node.type == "data" and node.layer is None
