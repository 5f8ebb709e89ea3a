"""Parameters of the export."""

from pydantic import Field

from image_translation.schema import Settings, Text


class ExportSettings(Settings):
    """Which model is exported, and what its 8-bit variant is made with."""

    model: Text
    calibration: int = Field(ge=1, le=4096)
