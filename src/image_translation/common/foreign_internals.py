"""Uses of the internals of libraries, for want of public functions.

Each function names the version it was written against.
``tests/common/test_foreign_internals.py`` fails first when one changes.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def read_config_files(loader: Any, environment: str, key: str) -> Iterator[bytes]:
    """The contents of the configuration files of an environment, sorted by path.

    Kedro 1.7.0. `OmegaConfigLoader` merges and converts the files that it reads.

    Args:
        loader: An ``OmegaConfigLoader``.
        environment: Name of the environment.
        key: Key of the patterns of file names, such as ``parameters``.
    """
    folder, patterns = loader._get_conf_env_path(environment), loader.config_patterns
    for path in sorted(loader._read_dir_configs(folder, patterns[key], key, set())):
        with loader._fs.open(path.as_posix()) as file:
            yield file.read()


def file_of(dataset: Any) -> Path:
    """The file of a dataset of the catalog. Kedro 1.7.0."""
    return Path(dataset._describe()["filepath"])


def choose_experiment(config: Any, name: str) -> str:
    """Choose the experiment of kedro-mlflow's runs, created or restored if necessary.

    kedro-mlflow 2.0.3. It chooses one by itself only when a context is created.

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

    kedro-viz 12.5.0. The hook can only write them to a file in the project.
    """
    return hook._stats


def stale_trials(storage: Any, study: str) -> list[int]:
    """Ids of the running trials of a study whose heartbeat ended.

    Optuna 5.0.0. `fail_stale_trials` also ends them, so they cannot be resumed.

    Args:
        storage: An ``RDBStorage`` with heartbeats.
        study: Name of the study.
    """
    return storage._get_stale_trial_ids(storage.get_study_id_from_name(study))


def run_uncompiled_on_errors() -> None:
    """Have torch.compile warn and fall back where compilation fails. torch 2.13.0."""
    import torch

    torch._dynamo.config.suppress_errors = True
