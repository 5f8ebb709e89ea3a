"""Base class and field types of all settings."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
)
from pydantic_core import CoreSchema, core_schema

from image_translation.common.secrets import mask_address


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


def _as_optional(value: object) -> object:
    return None if value in ("", "null", "~") else value


def _as_whole(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _as_absolute(value: str | None) -> str | None:
    return None if value is None else str(Path(value).expanduser().absolute())


def _as_shown(address: str | None) -> str | None:
    return None if address is None else mask_address(address)


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text; numbers, as YAML reads them, are converted to text."""

Nullable = BeforeValidator(_as_optional)
"""Validator for optional values: an empty text, ``null`` and ``~`` become None."""

Whole = BeforeValidator(_as_whole)
"""Validator for a choice of integers: decimal digits as text become an integer."""

OptionalText = Annotated[str | None, BeforeValidator(_as_text), Nullable]
"""Text or None."""

Secret = PlainSerializer(_as_shown)
"""Serializer of an address that may contain credentials. Outputs show the masked address,
and fingerprints do not depend on the credentials. The attribute keeps the full address."""

OptionalAddress = Annotated[OptionalText, Secret]
"""Address or None."""

OptionalPath = Annotated[OptionalText, AfterValidator(_as_absolute)]
"""Path or None; a relative path is resolved against the working directory."""


class OneOf:
    """Annotation of text that must be one of the given names.

    Like ``Literal``, but the names can come from a registry.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Return a schema that accepts only these names."""
        return core_schema.literal_schema(self.names)


class SomeOf:
    """Annotation of a tuple of names, written ``a|b``; null is the empty tuple.

    Args:
        names: The known names.
        noun: Of a name, for the error message.
    """

    def __init__(self, names: Iterable[str], noun: str) -> None:
        self.names, self.noun = list(names), noun

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Return a schema that accepts only these names."""
        return core_schema.no_info_before_validator_function(
            self._parse, handler(source)
        )

    def _parse(self, value: object) -> object:
        if value in (None, "", "null", "~", "none"):
            return ()
        names = value.split("|") if isinstance(value, str) else value
        for name in names if isinstance(names, list | tuple) else ():
            if name not in self.names:
                raise ValueError(
                    f"unknown {self.noun} {name!r}; known are {', '.join(self.names)}"
                )
        return names


class Settings(BaseModel):
    """Base class of parameter blocks: typed, complete, without unknown names.

    Text, for example from the command line, is converted to the declared types.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def flatten(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Map dotted names to the values of nested mappings."""
    return dict(_flat_items(block, prefix))


def _flat_items(block: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from _flat_items(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
