"""Fails first, and by name, when a library changes internals that the project uses."""

import inspect
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import pytest
from mlflow.utils.databricks_utils import (
    is_running_in_ipython_environment as is_in_notebook,
)

from image_translation.common import foreign_internals
from image_translation.datasets import previews

FUNCTIONS = [
    ("kedro", "kedro.config.OmegaConfigLoader._get_conf_env_path", "self, env"),
    (
        "kedro",
        "kedro.config.OmegaConfigLoader._read_dir_configs",
        "self, conf_path, patterns, key, processed_files, read_environment_variables",
    ),
    ("kedro", "kedro.io.AbstractDataset._describe", "self"),
    (
        "kedro-mlflow",
        "kedro_mlflow.config.kedro_mlflow_config.KedroMlflowConfig._set_experiment",
        "self",
    ),
    (
        "kedro-viz",
        "kedro_viz.integrations.kedro.hooks.DatasetStatsHook.format_stats",
        "self, stats",
    ),
    (
        "kedro-viz",
        "kedro_viz.integrations.kedro.hooks_utils.compute_size",
        "dataset_name, datasets",
    ),
    ("kedro-viz", "kedro_viz.integrations.kedro.hooks_utils.hash_node", "node"),
    (
        "mlflow",
        "mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore._hard_delete_run",
        "self, run_id",
    ),
    (
        "mlflow",
        "mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore"
        "._hard_delete_logged_model",
        "self, model_id",
    ),
    (
        "optuna",
        "optuna.storages.RDBStorage._get_stale_trial_ids",
        "self, study_id",
    ),
]


def find(name):
    """The object of a dotted name."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


@pytest.mark.parametrize(("package", "name", "parameters"), FUNCTIONS)
def test_function_has_the_expected_parameters(package, name, parameters):
    found = ", ".join(inspect.signature(find(name)).parameters)
    assert found == parameters, f"{name} of {package} {version(package)}"


def test_configuration_files_are_read_without_conversion(tmp_path):
    from kedro.config import OmegaConfigLoader

    (tmp_path / "base").mkdir()
    (tmp_path / "base/parameters_b.yml").write_text("b: on")
    (tmp_path / "base/parameters.yml").write_text("a: 0x1F")
    loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="base")
    contents = foreign_internals.read_config_files(loader, "base", "parameters")
    assert list(contents) == [b"a: 0x1F", b"b: on"]


def test_dataset_describes_its_file(tmp_path):
    from kedro_datasets.pandas import CSVDataset

    file = tmp_path / "table.csv"
    assert foreign_internals.file_of(CSVDataset(filepath=str(file))) == file


def test_session_of_kedro_has_the_hooks():
    from kedro.framework.session import KedroSession

    assert "self._hook_manager = " in inspect.getsource(KedroSession.__init__)


def test_options_of_kedro_mlflow_have_an_experiment_and_its_name():
    from kedro_mlflow.config.kedro_mlflow_config import ExperimentOptions

    assert "_experiment" in ExperimentOptions.__private_attributes__
    assert "name" in ExperimentOptions.model_fields


def test_hook_of_kedro_viz_collects_statistics():
    from kedro_viz.integrations.kedro.hooks import DatasetStatsHook

    assert foreign_internals.collected_statistics(DatasetStatsHook()) == {}


def test_kedro_viz_keeps_its_files_in_one_folder():
    from kedro_viz.integrations.kedro.hooks_utils import EVENTS_DIR, EVENTS_FILE

    assert (EVENTS_DIR, EVENTS_FILE) == (".viz", "kedro_pipeline_events.json")


@pytest.mark.parametrize("name", ["ImagePreview", "TablePreview"])
def test_previews_are_named_as_those_of_kedro_datasets(name):
    known = find(f"kedro_datasets._typing.{name}")
    assert getattr(previews, name).__name__ == known.__name__


def test_torch_can_suppress_errors_of_compilation():
    torch = import_module("torch")
    import_module("torch._dynamo")
    with torch._dynamo.config.patch(suppress_errors=False):
        foreign_internals.run_uncompiled_on_errors()
        assert torch._dynamo.config.suppress_errors is True


def test_import_of_ibis_fails_at_once(monkeypatch):
    monkeypatch.delitem(sys.modules, "ibis", raising=False)
    monkeypatch.setattr(foreign_internals, "find_spec", lambda name: None)
    foreign_internals.skip_absent_ibis()
    assert sys.modules["ibis"] is None
    assert find_spec("ibis") is None
    monkeypatch.delitem(sys.modules, "ibis")
    monkeypatch.setattr(foreign_internals, "find_spec", lambda name: "installed")
    foreign_internals.skip_absent_ibis()
    assert "ibis" not in sys.modules


def test_ipython_is_skipped_where_it_is_not_in_use(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with foreign_internals.skip_ipython(), pytest.raises(ImportError):
        import_module("IPython")
    assert "IPython" not in sys.modules
    in_use = import_module("json")
    monkeypatch.setitem(sys.modules, "IPython", in_use)
    with foreign_internals.skip_ipython():
        assert import_module("IPython") is in_use
    assert sys.modules["IPython"] is in_use


def test_mlflow_finds_no_notebook_without_ipython(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with foreign_internals.skip_ipython():
        assert not is_in_notebook()
    assert "IPython" not in sys.modules
