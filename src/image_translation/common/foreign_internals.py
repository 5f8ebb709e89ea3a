"""Uses of private functions of libraries that have no public equivalent.

Each function names the version of the library that it was written for. If a new version
changes these functions, ``tests/common/test_foreign_internals.py`` fails first.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def read_config_files(loader: Any, environment: str, key: str) -> Iterator[bytes]:
    """The contents of the configuration files of an environment, sorted by path.

    Kedro 1.7.0. The public `OmegaConfigLoader` only returns merged, converted values.

    Args:
        loader: An ``OmegaConfigLoader``.
        environment: Name of the environment.
        key: Key of the file name patterns, such as ``parameters``.
    """
    folder, patterns = loader._get_conf_env_path(environment), loader.config_patterns
    for path in sorted(loader._read_dir_configs(folder, patterns[key], key, set())):
        with loader._fs.open(path.as_posix()) as file:
            yield file.read()


def skip_absent_ibis() -> None:
    """Let imports of ibis fail at once if it is not installed.

    Kedro 1.7.0 tries to import it for every parameter, of which there are thousands; each
    attempt searches all folders for the package.
    """
    if find_spec("ibis") is None:
        sys.modules["ibis"] = None  # type: ignore[assignment]


@contextmanager
def skip_ipython() -> Iterator[None]:
    """Let imports of IPython fail at once where it is not in use.

    MLflow 3.17 imports it at the start of a run, to see whether it is in a notebook.
    """
    if "IPython" in sys.modules:
        yield
        return
    sys.modules["IPython"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["IPython"]


def without_hooks(session: Any) -> None:
    """Let a Kedro session call no hooks. Kedro 1.7.0."""
    for hooks in session._hook_manager.get_plugins():
        session._hook_manager.unregister(hooks)


def file_of(dataset: Any) -> Path:
    """The file of a catalog dataset. Kedro 1.7.0."""
    return Path(dataset._describe()["filepath"])


def choose_experiment(config: Any, name: str) -> str:
    """Choose the experiment of kedro-mlflow's runs, created or restored if necessary.

    kedro-mlflow 2.0.3. It chooses an experiment only when a context is created.

    Args:
        config: kedro-mlflow's configuration, ``context.mlflow``.
        name: Name of the experiment.

    Returns:
        The experiment's id.
    """
    config.tracking.experiment.name = name
    config._set_experiment()
    return config.tracking.experiment._experiment.experiment_id


def collected_statistics(hook: Any) -> Mapping[str, Mapping[str, Any]]:
    """The statistics that a `DatasetStatsHook` has collected, by dataset.

    kedro-viz 12.5.0. The hook's public methods only write them to a file.
    """
    return hook._stats


def erases(client: Any) -> bool:
    """True if MLflow's store erases runs and models; a tracking server does not.

    MLflow 3.17. `mlflow gc` uses the same functions, but also erases whatever else is
    marked as deleted.
    """
    return hasattr(client._tracking_client.store, "_hard_delete_run")


def erase_run(client: Any, run_id: str) -> None:
    """Remove a run from MLflow's database. MLflow 3.17; see `erases`."""
    client._tracking_client.store._hard_delete_run(run_id)


def erase_model(client: Any, model_id: str) -> None:
    """Remove a logged model from MLflow's database. MLflow 3.17; see `erases`."""
    client._tracking_client.store._hard_delete_logged_model(model_id)


def stale_trials(storage: Any, study: str) -> list[int]:
    """Ids of a study's running trials whose heartbeat has stopped.

    Optuna 5.0.0. The public `fail_stale_trials` also ends them, so that they cannot be
    resumed.

    Args:
        storage: An ``RDBStorage`` with heartbeats.
        study: Name of the study.
    """
    return storage._get_stale_trial_ids(storage.get_study_id_from_name(study))


def run_uncompiled_on_errors() -> None:
    """Let torch.compile warn and fall back if compilation fails. torch 2.13.0."""
    import torch

    torch._dynamo.config.suppress_errors = True
