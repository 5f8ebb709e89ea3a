"""Own data sets: tasks of this project beside the built-in ones.

An own data set is a task with a name of its own and the parameters of ``custom`` as
defaults. It is declared by its first run (``--params name=<name>``) or by a file
``conf/<environment>/data_sets/parameters_<name>.yml``.
"""

from pathlib import Path

import yaml

from image_translation.common.errors import InputError
from image_translation.config.task_settings import ALL_MODELS, TaskSections
from image_translation.pipeline_registry import OF_ONE_TASK, TASKS, declare_tasks
from image_translation.training.settings import ModelSettings

_FILE = "*/data_sets/parameters_*.yml"
_RESERVED = {
    *TASKS,
    *OF_ONE_TASK,
    *ALL_MODELS,
    *TaskSections.model_fields,
    *ModelSettings.model_fields,
    "app",
    "models",
    "name",
    "task",
    "summary",
}


def declare_data_sets(project: Path) -> None:
    """Add the own data sets of a project to the tasks.

    Raises:
        InputError: A file declares a name that cannot be used.
    """
    files = sorted((project / "conf").glob(_FILE))
    declared = [path.stem.removeprefix("parameters_") for path in files]
    for name in declared:
        check_name(name)
    declare_tasks([*declared, *_find_prepared(project)])


def declare_data_set(name: str) -> None:
    """Add a data set that may be new.

    Raises:
        InputError: The name cannot be used.
    """
    check_name(name)
    declare_tasks([name])


def check_name(name: str) -> None:
    """Check the name of an own data set.

    Raises:
        InputError: It is not a lower-case word, or has another meaning.
    """
    if not name.isidentifier() or name != name.lower() or name.startswith("_"):
        raise InputError(
            f"name={name}: the name of a data set consists of lower-case letters, digits "
            "and _, and begins with a letter"
        )
    if name in _RESERVED:
        raise InputError(f"name={name}: this name is already in use; choose another")


def _find_prepared(project: Path) -> list[str]:
    """Names of data sets with a manifest, in the data folder of any environment."""
    folders = {"data"}
    for path in (project / "conf").glob("*/globals.yml"):
        values = yaml.safe_load(path.read_text("utf-8"))
        if isinstance(values, dict) and isinstance(values.get("data"), str):
            folders.add(values["data"])
    manifests = [
        manifest
        for folder in sorted(folders)
        for manifest in sorted(
            (project / folder).glob("02_intermediate/*/manifest.csv")
        )
    ]
    names = dict.fromkeys(manifest.parent.name for manifest in manifests)
    return [name for name in names if name.isidentifier() and name not in _RESERVED]
