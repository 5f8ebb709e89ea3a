"""Parameters of tuning and its search space."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from image_translation.common.schema import (
    Nullable,
    OptionalAddress,
    OptionalText,
    Settings,
    Text,
)
from image_translation.training.settings import ModelSettings

Value = bool | int | float | str | None

_OF_A_DIMENSION = frozenset({"low", "high", "log", "step", "choices", "gan"})

_SAME_FOR_ALL = {
    "enabled": "it selects the models",
    "network.name": "it defines the model; pass several models in tuning.model",
    "training.epochs": "it is the trials' budget; set tuning.epochs",
    "training.pairs": "it is the trials' budget; set tuning.pairs",
    "training.select_by": "it defines the trials' score",
    "inference.temperature": "validation always has the default",
    "training.seed": "a lucky seed is not a better parameter",
    **dict.fromkeys(
        (
            "inference.batch_size",
            "training.checkpoint_minutes",
            "training.compile",
            "training.device",
            "training.devices",
            "training.force",
            "training.nodes",
            "training.precision",
            "training.rendezvous",
            "training.replicates",
            "training.threads",
            "training.warm_start",
        ),
        "it does not affect the result",
    ),
}


class Dimension(Settings):
    """The values of a parameter: a range or choices.

    Attributes:
        name: Dotted name of a model's parameter.
        low: Lower end of a range.
        high: Upper end of a range.
        log: Whether the range is searched on a logarithmic scale.
        step: Step of a range; required for a grid.
        choices: The choices; written ``a|b``.
        gan: Whether it applies only with an adversarial loss.
    """

    name: str
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    choices: tuple[Value, ...] | None = None
    gan: bool = False

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Convert ends and choices to the type of the parameter."""
        values = {k: v for k, v in given.items() if v not in (None, "null")}
        adapter = _adapter(values["name"])
        for key in values.keys() & {"low", "high"}:
            values[key] = _number(adapter, values, key)
        if "choices" in values:
            choices = values["choices"]
            parts = choices.split("|") if isinstance(choices, str) else choices
            parts = parts if isinstance(parts, list | tuple) else [parts]
            values["choices"] = tuple(_value(adapter, values, part) for part in parts)
        return values

    @model_validator(mode="after")
    def _is_a_range_or_a_choice(self) -> "Dimension":
        if self.choices is not None:
            if (self.low, self.high, self.step) != (None, None, None) or self.log:
                raise ValueError(
                    f"{self.name}: has choices; remove the settings of ranges"
                )
            return self
        if self.low is None or self.high is None:
            raise ValueError(f"{self.name}: give low and high, or choices: a|b")
        if self.low >= self.high:
            raise ValueError(f"{self.name}: low must be below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(f"{self.name}: log needs a low above 0, and no step")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"{self.name}: step must be above 0")
        if self.is_whole and self.step != int(self.step or 1):
            if self.step is not None:
                raise ValueError(f"{self.name}: step must be a whole number")
        return self

    @property
    def is_whole(self) -> bool:
        """True for a range of integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def _flat_space(space: Any) -> Any:
    """Dimensions by dotted name, from nested or dotted names."""
    if not isinstance(space, Mapping):
        return space
    found: dict[str, dict[str, Any]] = {}
    for name, given in _dimensions_of(space):
        if given is None:
            found.pop(name, None)
        else:
            found[name] = {**found.get(name, {}), **given, "name": name}
    return found


def _dimensions_of(
    block: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    for key, value in block.items():
        name = f"{prefix}{key}"
        if value in (None, "null", ""):
            yield name, None
        elif not isinstance(value, Mapping):
            yield name, {"choices": value}
        elif _OF_A_DIMENSION & value.keys():
            yield name, value
        else:
            yield from _dimensions_of(value, f"{name}.")


class TuningSettings(Settings):
    """Settings of a search."""

    model: Text
    trials: int = Field(ge=1, le=100_000)
    epochs: Annotated[Annotated[int, Field(ge=1)] | None, Nullable]
    pairs: Annotated[Annotated[int, Field(ge=1)] | None, Nullable]
    sampler: Literal["tpe", "random", "grid"]
    seed: int = Field(ge=0, lt=2**31)
    pruner: Annotated[Literal["median", "none"], BeforeValidator(lambda v: v or "none")]
    startup: int = Field(ge=1)
    warm_up: int = Field(ge=0)
    storage: OptionalAddress
    study: OptionalText
    heartbeat: int = Field(ge=1)
    search: OptionalText
    space: Annotated[dict[str, Dimension], BeforeValidator(_flat_space)]

    @property
    def models(self) -> list[str]:
        """The models to tune, in order."""
        return list(dict.fromkeys(self.model.split("|")))

    @model_validator(mode="after")
    def _search_is_in_space(self) -> "TuningSettings":
        for name in self.search.split("|") if self.search else ():
            if name not in self.space:
                known = ", ".join(self.space) or "nothing"
                raise ValueError(
                    f"search: {name} is not in tuning.space, which has {known}"
                )
        if self.sampler == "grid":
            for name, dimension in self.searched().items():
                if dimension.choices is None and dimension.step is None:
                    raise ValueError(
                        f"space.{name}: a grid needs choices: a|b, or a step; or "
                        "exclude the parameter with tuning.search"
                    )
        return self

    def searched(self) -> dict[str, Dimension]:
        """The dimensions selected by ``search``, or all."""
        names = self.search.split("|") if self.search else list(self.space)
        return {name: self.space[name] for name in names}

    def dimensions(self, settings: ModelSettings) -> dict[str, Dimension]:
        """The dimensions of a model; without a GAN, those of the GAN are omitted."""
        searched = self.searched()
        may_be_gan = settings.objective.has_discriminator
        may_be_gan |= "objective.adversarial" in searched
        return {k: v for k, v in searched.items() if may_be_gan or not v.gan}


def _adapter(name: str) -> TypeAdapter[Any]:
    """Validator of a model's parameter.

    Raises:
        ValueError: The parameter does not exist, or cannot be searched.
    """
    if name in _SAME_FOR_ALL:
        raise ValueError(f"{name}: cannot be searched: {_SAME_FOR_ALL[name]}")
    known = dict(_fields(ModelSettings))
    if name not in known:
        names = [other for other in known if other not in _SAME_FOR_ALL]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"{name}: no such parameter of a model.{hint} Known: {', '.join(names)}"
        )
    field = known[name]
    kind: Any = field.annotation
    for constraint in field.metadata:
        kind = Annotated[kind, constraint]
    return TypeAdapter(kind)


def _fields(model: type[Settings], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield from _fields(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _value(adapter: TypeAdapter[Any], values: Mapping[str, Any], given: Any) -> Any:
    given = given.strip() if isinstance(given, str) else given
    try:
        return adapter.validate_python(given)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{values['name']}: {given!r}: {message}") from error


def _number(adapter: TypeAdapter[Any], values: Mapping[str, Any], key: str) -> Any:
    value = _value(adapter, values, values[key])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{values['name']}: is not a number; give choices: a|b")
    return value
