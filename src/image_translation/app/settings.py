"""Parameters of the app."""

from pydantic import Field

from image_translation.common.schema import Settings


class AppSettings(Settings):
    """Limits of the app."""

    max_upload_mb: int = Field(ge=1)
    max_seconds: float = Field(gt=0)
    at_once: int = Field(ge=1)
    waiting: int = Field(ge=1)
