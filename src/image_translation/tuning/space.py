"""Convert a search space to the settings of a trial."""

import math
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from image_translation.common.schema import flatten
from image_translation.training.settings import ModelSettings
from image_translation.tuning.settings import Dimension, TuningSettings, Value

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler

Space = Mapping[str, Dimension]


def suggest(
    trial: "optuna.Trial", space: Space, settings: ModelSettings
) -> dict[str, Value]:
    """Suggest the values of a trial, without GAN parameters for models without a
    GAN.
    """
    always = {k: v for k, v in space.items() if not v.gan}
    values = {name: _suggest(trial, dimension) for name, dimension in always.items()}
    weight = settings.objective.weights.get("adversarial", 0)
    if values.get("objective.adversarial", weight):
        for name in space.keys() - always.keys():
            values[name] = _suggest(trial, space[name])
    return {name: values[name] for name in space if name in values}


def _suggest(trial: "optuna.Trial", dimension: Dimension) -> Value:
    d: Any = dimension
    if d.choices is not None:
        return trial.suggest_categorical(d.name, d.choices)
    if d.is_whole:
        step = int(d.step or 1)
        return trial.suggest_int(d.name, d.low, d.high, step=step, log=d.log)
    return trial.suggest_float(d.name, d.low, d.high, step=d.step, log=d.log)


def contains(dimension: Dimension, value: Any) -> bool:
    """True if a dimension contains a value."""
    if dimension.choices is not None:
        return value in dimension.choices
    low: Any = dimension.low
    high: Any = dimension.high
    if not isinstance(value, int | float) or not low <= value <= high:
        return False
    return dimension.step is None or value in points(dimension)


def points(dimension: Dimension) -> list[Any]:
    """All values of a finite dimension."""
    if dimension.choices is not None:
        return list(dimension.choices)
    d: Any = dimension
    count = int((d.high - d.low) / d.step + 1e-9) + 1
    return [d.low + i * d.step for i in range(count)]


def grid_point(space: Space, number: int, seed: int) -> dict[str, Any]:
    """The combination of a trial of a grid, in shuffled order."""
    order = list(range(grid_size(space)))
    random.Random(seed).shuffle(order)
    rest, values = order[number % len(order)], {}
    for name, dimension in space.items():
        choices = points(dimension)
        rest, position = divmod(rest, len(choices))
        values[name] = choices[position]
    return values


def grid_size(space: Space) -> int:
    """Number of combinations."""
    return math.prod(len(points(dimension)) for dimension in space.values())


def count_trials(tuning: TuningSettings, space: Space) -> int:
    """Number of trials of a study, at most the number of combinations."""
    if not space:
        return 1
    return (
        min(tuning.trials, grid_size(space))
        if tuning.sampler == "grid"
        else tuning.trials
    )


def values_of(settings: ModelSettings, space: Space) -> dict[str, Any]:
    """Current values of a model's parameters, as far as the space contains them."""
    values = flatten(settings.model_dump(mode="json"))
    return {n: values[n] for n, d in space.items() if contains(d, values[n])}


def change(settings: ModelSettings, values: Mapping[str, Any]) -> ModelSettings:
    """Settings with other values, by dotted name.

    Raises:
        pydantic.ValidationError: The values are incompatible.
    """
    block = settings.model_dump(mode="json")
    for name, value in values.items():
        *path, last = name.split(".")
        inner = block
        for part in path:
            inner = inner[part]
        inner[last] = value
    return ModelSettings.model_validate(block)


def sampler_of(
    tuning: TuningSettings, space: Space, number: int, settings: ModelSettings
) -> "BaseSampler":
    """The sampler of a trial's parameters.

    Each trial has its own seed, so an interrupted study draws the same values as an
    uninterrupted one, and parallel workers draw different values. The first trial is
    the unchanged model.
    """
    from optuna.samplers import (
        BaseSampler,
        PartialFixedSampler,
        RandomSampler,
        TPESampler,
    )

    seed = (tuning.seed * 100_003 + number) % 2**32
    sampler: BaseSampler = RandomSampler(seed=seed)
    if tuning.sampler == "grid":
        return PartialFixedSampler(grid_point(space, number, tuning.seed), sampler)
    if tuning.sampler == "tpe":
        sampler = TPESampler(n_startup_trials=tuning.startup, seed=seed)
    defaults = values_of(settings, space) if number == 0 else {}
    return PartialFixedSampler(defaults, sampler) if defaults else sampler
