"""Names of tasks and models, and the registered pipelines."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline

from image_translation.common.names import BASELINES, ENSEMBLE

TASKS = ("colorization", "monet", "cartoon", "hidden_digits", "custom")
"""Each built-in task has a name here and a block in ``parameters_<task>.yml``."""

OWN = "custom"
"""The task whose parameters are the defaults of own data sets."""

_own: dict[str, None] = {}

MODELS = (
    "pix2pix",
    "unet",
    "autoencoder",
    "autoencoder_gan",
    "residual_unet",
    "pretrained_unet",
    "vivid_unet",
)
"""Each model has a name here and a block under ``models`` in ``parameters.yml``."""

OPTIONAL_MODELS = ("vivid_unet",)
"""Models that are off by default, and in the pipelines only if parameters switch them on."""

_optional: dict[str, None] = {}

_ensembled: dict[str, None] = {}

_external: dict[str, None] = {}

RENAMED_MODELS = {"recommended": "residual_unet"}
"""Former name → name. The next version rejects the former names."""

HUMAN_STUDY, TRANSLATE, TUNING, EXPORT = "human_study", "translate", "tuning", "export"
CALIBRATION = "calibration"

OF_ONE_TASK = (HUMAN_STUDY, TRANSLATE, TUNING, EXPORT, CALIBRATION)
"""Pipelines with one namespace per task, selected by ``task=<task>`` in ``--params``.
They evaluate the votes of a blind test, translate photographs, tune and export models,
and compare a model with itself."""


def declare_tasks(names: Iterable[str]) -> None:
    """Add own data sets to the tasks of this process."""
    _own.update(dict.fromkeys(name for name in names if name not in TASKS))


def all_tasks() -> tuple[str, ...]:
    """The built-in tasks and the declared data sets."""
    return (*TASKS, *_own)


def declare_optional(models: Iterable[str]) -> None:
    """Add optional models to the pipelines of this process."""
    _optional.update(dict.fromkeys(name for name in models if name in OPTIONAL_MODELS))


def declare_ensembles(models: Iterable[str]) -> None:
    """Add ensembles of models to the pipelines of this process."""
    _ensembled.update(dict.fromkeys(models))


def declare_external(models: Iterable[str]) -> None:
    """Add models whose predictions were made elsewhere to the pipelines of this process."""
    _external.update(dict.fromkeys(models))


def external_models() -> tuple[str, ...]:
    """The declared models whose predictions were made elsewhere."""
    return tuple(_external)


def all_models() -> tuple[str, ...]:
    """The models, each followed by its ensemble if one is declared, and the baselines.

    Optional models and those made elsewhere only if they are declared.
    """
    models = [n for n in MODELS if n not in OPTIONAL_MODELS or n in _optional]
    ensembles = {name: (f"{name}{ENSEMBLE}",) for name in _ensembled}
    trained = (each for name in models for each in (name, *ensembles.get(name, ())))
    return (*trained, *_external, *BASELINES)


def all_pipelines() -> tuple[str, ...]:
    """Names of all pipelines."""
    return (*all_tasks(), *OF_ONE_TASK, "__default__")


def register_pipelines() -> dict[str, Pipeline]:
    """Pipelines of all tasks and ``OF_ONE_TASK``; the default is ``colorization``."""
    from image_translation.pipelines import (
        calibration,
        export,
        human_study,
        translate,
        tuning,
    )
    from image_translation.pipelines.task import create_pipeline

    tasks = all_tasks()
    pipelines = {task: create_pipeline(task, all_models()) for task in tasks}
    return {
        **pipelines,
        HUMAN_STUDY: sum(map(human_study.create_pipeline, tasks), Pipeline([])),
        TRANSLATE: sum(map(translate.create_pipeline, tasks), Pipeline([])),
        TUNING: sum(map(tuning.create_pipeline, tasks), Pipeline([])),
        CALIBRATION: sum(map(calibration.create_pipeline, tasks), Pipeline([])),
        EXPORT: sum(map(export.create_pipeline, tasks), Pipeline([])),
        "__default__": pipelines["colorization"],
    }
