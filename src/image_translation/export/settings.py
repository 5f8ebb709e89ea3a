"""Parameters of the export."""

from pydantic import Field

from image_translation.common.schema import Settings, Text


class ExportSettings(Settings):
    """The exported model and the calibration of its 8-bit variant."""

    model: Text
    calibration: int = Field(ge=1, le=4096)
