"""Parameters of the translation of photographs."""

from typing import Literal

from pydantic import Field

from image_translation.common.schema import Settings, Text

CHAMPION, ALL = "champion", "all"


class TranslateSettings(Settings):
    """How photographs of any size are translated."""

    model: Text
    strategy: Literal["tiles", "guided", "luminance", "resize"]
    grey_input: bool
    overlap: float = Field(ge=0, le=0.5)
    scale: float = Field(ge=0.5, le=16)
    quality: int = Field(ge=1, le=100)


class ServedSettings(TranslateSettings):
    """How a model that MLflow has translates photographs, wherever it is loaded.

    Attributes:
        white: ``preparation.white`` of the task.
    """

    white: float | None = None
