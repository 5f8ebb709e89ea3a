"""Every node is a plain function with typed settings, which notebooks can load."""

import ast
import inspect
from collections.abc import Iterator
from typing import get_type_hints

import pytest
from kedro.framework.context import KedroContext
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project, pipelines
from kedro.ipython import _load_node
from kedro.pipeline.node import Node
from pydantic import TypeAdapter

from image_translation import pipeline_registry
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.pipeline_registry import OF_ONE_TASK
from tests.conftest import PROJECT

PACKAGE = "image_translation"
TASK = "colorization"


def nodes_of_a_task() -> Iterator[Node]:
    """All nodes of a task: of its own pipeline and of the pipelines of one task."""
    configure_project(PACKAGE)
    for name in (TASK, *OF_ONE_TASK):
        yield from pipelines[name].only_nodes_with_namespaces([TASK]).nodes


NODES = {node.name.rpartition(".")[2]: node for node in nodes_of_a_task()}
"""By name without namespaces: models have the same nodes."""


def open_catalog(project):
    conf = str(project / "conf")
    names = {"base_env": "base", "default_run_env": "local"}
    loader = LayeredConfigLoader(conf, env="smoke", **names)
    hooks = _create_hook_manager()
    return KedroContext(project, loader, "smoke", PACKAGE, hooks).catalog


@pytest.fixture(scope="module")
def catalog():
    return open_catalog(PROJECT)


def has_inputs_by_model(node):
    """Kedro cannot load such a node: it binds named inputs by their position."""
    kinds = {p.kind for p in inspect.signature(node.func).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


@pytest.mark.parametrize("name", NODES)
def test_node_is_a_plain_function_with_typed_settings(name, catalog):
    node = NODES[name]
    assert inspect.isfunction(node.func)
    hints, arguments = get_type_hints(node.func), inspect.signature(node.func)
    for argument, dataset in zip(arguments.parameters, node.inputs, strict=False):
        if dataset.startswith("params:"):
            value, kind = catalog.load(dataset), hints[argument]
            assert TypeAdapter(kind).validate_python(value, strict=True) is value
            assert not isinstance(value, dict)


@pytest.mark.parametrize(
    "name", [name for name, node in NODES.items() if not has_inputs_by_model(node)]
)
def test_node_can_be_loaded_into_a_notebook(name):
    """As by ``%load_node``."""
    node = NODES[name]
    code = "\n".join(_load_node(node.name, pipelines))
    assert ast.parse(code)
    assert all(f'catalog.load("{dataset}")' in code for dataset in node.inputs)


def test_node_of_an_ensemble_can_be_loaded_into_a_notebook(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline_registry, "_ensembled", {"unet": None})
        configure_project(PACKAGE)
        code = "\n".join(_load_node(f"{TASK}.unet_ensemble.combine", pipelines))
    configure_project(PACKAGE)
    assert ast.parse(code)
    assert f'catalog.load("{TASK}.unet.trained")' in code


@pytest.mark.parametrize(
    "name", ["assign_subsets", "choose_scored_pairs", "score", "plan_study"]
)
def test_loaded_node_runs_in_a_notebook(name, smoke_project):
    names = {"catalog": open_catalog(smoke_project)}
    *cells, call = _load_node(NODES[name].name, pipelines)
    for cell in cells:
        exec(cell, names)  # noqa: S102
    assert eval(call, names) is not None  # noqa: S307
