"""Layered parameters, validated and typed before any node runs.

Sources, lowest precedence first: the base environment, the environment of the run, the
command line. Within each source, values shared by all tasks come first, then values of a
task, then values of a model of a task. The result is one `TaskSettings` per task with
``<task>.<section>`` and ``<task>.<model>.<section>``, plus the sections that belong to no
task. Kedro adds each as a dataset ``params:<name>``, with the type that nodes declare.
"""

import difflib
import inspect
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf
from pydantic import BaseModel, TypeAdapter, ValidationError

from image_translation.app.settings import AppSettings
from image_translation.common.errors import InputError
from image_translation.common.foreign_internals import read_config_files
from image_translation.config.data_sets import declare_data_sets
from image_translation.config.task_settings import (
    ALL_MODELS,
    TaskSections,
    TaskSettings,
)
from image_translation.pairing.settings import ExternalSettings
from image_translation.pipeline_registry import (
    MODELS,
    OPTIONAL_MODELS,
    OWN,
    RENAMED_MODELS,
    TASKS,
    all_tasks,
    declare_ensembles,
    declare_external,
    declare_optional,
    external_models,
)
from image_translation.training.settings import ModelSettings

logger = logging.getLogger(__name__)

TASK_SECTIONS: Mapping[str, Any] = inspect.get_annotations(TaskSections)
COMMON_SECTIONS: Mapping[str, Any] = {"app": AppSettings}
"""Sections that belong to no task."""

MODEL_SECTIONS: Mapping[str, Any] = {
    name: field.annotation for name, field in ModelSettings.model_fields.items()
}
OFF = ("false", "off", "no", "0")
"""Values of a switch that is off."""

SHARED_MODEL_SECTIONS = [name for name in MODEL_SECTIONS if name != "enabled"]


@dataclass(frozen=True)
class Layer:
    """Parameters from one source: an environment or the command line."""

    name: str
    values: Mapping[str, Any]


class LayeredConfigLoader(OmegaConfigLoader):
    """Kedro's configuration loader with layered parameters.

    Scalars in parameter files are read as text and converted by the schema, so that
    ``2024`` and ``on`` are valid folder names.
    """

    def __init__(self, conf_source: str, *args: Any, **options: Any) -> None:
        super().__init__(conf_source, *args, **options)
        source = Path(conf_source)
        declare_data_sets(source.parent if source.is_dir() else Path.cwd())
        with suppress(Exception):  # raised where the parameters are read
            for layer in self._layers:
                declare_ensembles(_switched_on("ensemble", layer.values, MODELS))
                declare_optional(_switched_on("enabled", layer.values, OPTIONAL_MODELS))
                declare_external(_find_external(layer.values))

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration by key; ``parameters`` are resolved and validated."""
        if key != "parameters" or key in self.data:
            return super().__getitem__(key)
        self[key] = resolve_parameters(self._layers)
        return self[key]

    @cached_property
    def _layers(self) -> list[Layer]:
        environments = dict.fromkeys([self.base_env, self.env or self.default_run_env])
        layers = [
            Layer(f"conf/{name}", self._read_parameters(name)) for name in environments
        ]
        return [*layers, Layer("--params", self.runtime_params or {})]

    def _read_parameters(self, environment: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for content in read_config_files(self, environment, "parameters"):
            values = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506
            config: Any = OmegaConf.to_container(
                OmegaConf.create(values or {}), resolve=True
            )
            merged = _merged(merged, config)
        return merged


def _switched_on(
    switch: str, values: Mapping[str, Any], models: Collection[str]
) -> Iterator[str]:
    """Models for which any part of a layer turns a switch on.

    Pipelines are registered before parameters are resolved; the nodes of a model know
    whether it is on.

    Args:
        switch: Name of the parameter.
        values: Of the layer, or of a part of it.
        models: The models that the values apply to.
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            own = [name] if name in ALL_MODELS else models
            yield from _switched_on(switch, value, own)
        elif name == switch and str(value).lower() not in OFF:
            yield from models


def _find_external(values: Mapping[str, Any]) -> Iterator[str]:
    """Names of models whose predictions were made elsewhere, in a layer or a block."""
    for name, value in values.items():
        if not isinstance(value, Mapping):
            continue
        if name != "models":
            yield from _find_external(value)
            continue
        for model, block in value.items():
            is_new = model not in ALL_MODELS and str(model).isidentifier()
            if is_new and isinstance(block, Mapping) and "predictions" in block:
                yield model


def resolve_parameters(layers: Sequence[Layer]) -> dict[str, Any]:
    """Merge layers into one validated block per task.

    Args:
        layers: Parameters by source, lowest precedence first. Each layer may contain
            sections shared by all tasks, ``models.<model>`` blocks and task blocks. A
            task block may contain the same sections and ``<model>`` blocks.

    Returns:
        ``{task: TaskSettings, section: Settings}``.

    Raises:
        InputError: A name is unknown or a value is invalid. The message lists all
            problems and the layer in which each value was set.
    """
    layers = [_with_present_names(layer) for layer in layers]
    problems = [
        problem
        for layer in layers
        for problem in _unknown_names(layer.values, _known_names(), layer.name)
    ]
    resolved = {}
    if not problems:
        resolved = {task: _resolve_task(task, layers, problems) for task in all_tasks()}
        common = _gather(layers, [("", COMMON_SECTIONS)])
        for name, schema in COMMON_SECTIONS.items():
            value = common.get(name)
            resolved[name] = _typed(schema, value, ("", name), layers, problems)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
        raise InputError(f"Invalid parameters:\n{listed}")
    return resolved


def _with_present_names(layer: Layer) -> Layer:
    """A layer whose former names of models are replaced."""
    return Layer(layer.name, _rename(layer.values, layer.name))


def _rename(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Replace former names of models in blocks, and in values such as ``a|b``."""
    renamed: dict[str, Any] = {}
    for name, value in values.items():
        present = value
        if isinstance(value, Mapping):
            present = _rename(value, origin)
        elif name == "model" and isinstance(value, str):
            present = "|".join(_present_name(p, origin) for p in value.split("|"))
        renamed = _merged(renamed, {_present_name(name, origin): present})
    return renamed


def _present_name(name: str, origin: str) -> str:
    present = RENAMED_MODELS.get(name)
    if present is None:
        return name
    logger.warning(
        "The model %s is now called %s; change its name in %s: the next version "
        "rejects the former one",
        name,
        present,
        origin,
    )
    return present


def _resolve_task(
    task: str, layers: Sequence[Layer], problems: list[str]
) -> TaskSettings:
    """Settings of a task; new ``problems`` if any are invalid."""
    blocks = _blocks_of(task)
    sections = _gather(layers, [(block, TASK_SECTIONS) for block in ("", *blocks)])
    block = {
        name: _typed(schema, sections.get(name), (task, name), layers, problems)
        for name, schema in TASK_SECTIONS.items()
    }
    for section, several in (("tuning", ", or several as a|b"), ("calibration", "")):
        named = block[section].model if block[section] else MODELS[0]
        for model in named.split("|") if several else [named]:
            if model not in MODELS:
                name, origin = _where_set(task, f"{section}.model", layers)
                known = ", ".join(MODELS)
                problems.append(
                    f"{name}: one of {known}{several}, not {model!r} (set in {origin})"
                )
    for model in ALL_MODELS:
        scopes = [("", SHARED_MODEL_SECTIONS), (f"models.{model}", MODEL_SECTIONS)]
        for name in blocks:
            scopes += [
                (name, SHARED_MODEL_SECTIONS),
                (f"{name}.models.{model}", MODEL_SECTIONS),
                (f"{name}.{model}", MODEL_SECTIONS),
            ]
        settings = _gather(layers, scopes)
        block[model] = _typed(ModelSettings, settings, (task, model), layers, problems)
        problems += _unsuitable(task, model, block, layers)
    block["external"] = {
        model: _resolve_external(task, model, layers, problems)
        for model in external_models()
    }
    return TaskSettings.model_construct(name=task, **block)


def _resolve_external(
    task: str, model: str, layers: Sequence[Layer], problems: list[str]
) -> ExternalSettings | None:
    """Settings of a model whose predictions were made elsewhere."""
    scopes = [f"models.{model}"]
    scopes += [f"{name}.models.{model}" for name in _blocks_of(task)]
    names = list(ExternalSettings.model_fields)
    settings = _gather(layers, [(scope, names) for scope in scopes])
    location = (task, f"models.{model}")
    return _typed(ExternalSettings, settings, location, layers, problems)


def _blocks_of(task: str) -> list[str]:
    """Blocks with the parameters of a task, lowest precedence first."""
    return [task] if task in TASKS or not task else [OWN, task]


def _unsuitable(
    task: str, model: str, block: Mapping[str, Any], layers: Sequence[Layer]
) -> Iterator[str]:
    """Settings that are valid by themselves, but not for the image size."""
    if block[model] is None or block["preparation"] is None:
        return
    image_size = block["preparation"].image_size
    for path, problem in block[model].find_unsuitable(image_size):
        name, origin = _where_set(task, f"{model}.{path}", layers)
        yield f"{name}: {problem} (set in {origin})"


def _gather(
    layers: Sequence[Layer], scopes: Sequence[tuple[str, Collection[str]]]
) -> dict[str, Any]:
    """Merge the given sections of all layers and scopes, lowest precedence first."""
    gathered: dict[str, Any] = {}
    for layer in layers:
        for prefix, sections in scopes:
            found = _find(layer.values, prefix)
            if isinstance(found, Mapping):
                chosen = {k: v for k, v in found.items() if k in sections}
                gathered = _merged(gathered, chosen)
    return gathered


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def _find(values: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else ():
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _typed(
    schema: Any,
    value: Any,
    location: tuple[str, str],
    layers: Sequence[Layer],
    problems: list[str],
) -> Any:
    """Validated value; None and new ``problems`` if it is invalid."""
    try:
        return TypeAdapter(schema).validate_python(value)
    except ValidationError as error:
        for detail in error.errors():
            path = ".".join((location[1], *(str(part) for part in detail["loc"])))
            given = "" if detail["type"] == "missing" else f", not {detail['input']!r}"
            name, origin = _where_set(location[0], path, layers)
            reason = detail["msg"].removeprefix("Value error, ")
            problems.append(f"{name}: {reason}{given} (set in {origin})")
        return None


def _where_set(task: str, path: str, layers: Sequence[Layer]) -> tuple[str, str]:
    """Name under which a value was set, and its layer."""
    model, _, inner = path.partition(".")
    names = []
    for block in reversed(_blocks_of(task)) if task else ():
        names.append(f"{block}.{path}")
        if model in ALL_MODELS:
            names += [f"{block}.models.{model}.{inner}", f"{block}.{inner}"]
    names += [f"models.{model}.{inner}", inner] if model in ALL_MODELS else [path]
    for layer in reversed(layers):
        for name in names:
            if _find(layer.values, name) is not None:
                return name, layer.name
    return names[0], "no layer"


def _known_names() -> dict[str, Any]:
    """Tree of all parameter names, with None as leaves."""
    models = {model: _names_of(ModelSettings) for model in ALL_MODELS}
    external = {model: _names_of(ExternalSettings) for model in external_models()}
    shared = {name: _names_of(TASK_SECTIONS[name]) for name in TASK_SECTIONS}
    for name in SHARED_MODEL_SECTIONS:
        shared[name] = _names_of(MODEL_SECTIONS[name])
    shared["models"] = models | external
    common = {name: _names_of(schema) for name, schema in COMMON_SECTIONS.items()}
    tasks = {task: {**shared, **models} for task in all_tasks()}
    return {**shared, **common, **tasks}


def _names_of(schema: Any) -> dict[str, Any] | None:
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return None
    return {
        name: _names_of(field.annotation) for name, field in schema.model_fields.items()
    }


def _unknown_names(
    values: Any, known: Mapping[str, Any] | None, origin: str, prefix: str = ""
) -> Iterator[str]:
    if known is None or not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if name in known:
            yield from _unknown_names(value, known[name], origin, f"{prefix}{name}.")
            continue
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {prefix}{close[0]}?" if close else ""
        if name == "predictions":
            hint = " The project trains this model; name that of the predictions anew."
        elif isinstance(value, Mapping) and "predictions" in value:
            hint = " The name of a model consists of letters, digits and _."
        yield (
            f"{prefix}{name}: no such parameter (set in {origin}).{hint}"
            f" Known here: {', '.join(known)}"
        )
