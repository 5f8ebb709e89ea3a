"""Parameters of the report."""

from pydantic import Field

from image_translation.schema import Settings


class ReportSettings(Settings):
    """What the report shows."""

    gallery: int = Field(ge=1, le=200)
