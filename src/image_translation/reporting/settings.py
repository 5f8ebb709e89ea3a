"""Parameters of the report."""

from typing import Annotated

from pydantic import Field

from image_translation.common.schema import Nullable, Settings


class ReportSettings(Settings):
    """Size of the report and of the blind test."""

    gallery: int = Field(ge=1, le=200)
    blind_questions: Annotated[Annotated[int, Field(ge=0, le=400)] | None, Nullable]
