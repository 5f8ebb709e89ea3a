"""What every block of parameters has in common."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import CoreSchema, core_schema


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


def _as_optional(value: object) -> object:
    return None if value in ("", "null", "~") else value


def _as_whole(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _as_absolute(value: str | None) -> str | None:
    return None if value is None else str(Path(value).expanduser().absolute())


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text, also where YAML read a number."""

Nullable = BeforeValidator(_as_optional)
"""For what may be nothing, also where nothing is written as text."""

Whole = BeforeValidator(_as_whole)
"""For a choice of whole numbers, also where one is written as text."""

OptionalText = Annotated[str | None, BeforeValidator(_as_text), Nullable]
"""Text or nothing."""

OptionalPath = Annotated[OptionalText, AfterValidator(_as_absolute)]
"""A path or nothing; a relative one counts from where the command was started."""


class OneOf:
    """Annotates text that must be one of the names of a registry.

    As ``Literal``, whose values cannot be computed.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Accept these names alone."""
        return core_schema.literal_schema(self.names)


class Settings(BaseModel):
    """A block of parameters: typed, complete, closed to unknown names.

    Values that are written as text, as on a command line, are converted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def flatten(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    return dict(_flat_items(block, prefix))


def _flat_items(block: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from _flat_items(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
