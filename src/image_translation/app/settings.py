"""Parameters of the app."""

from pydantic import Field

from image_translation.schema import Settings

MEGABYTE = 2**20
"""As Gradio counts, which tells people of the limit."""


class AppSettings(Settings):
    """What the app takes on."""

    max_upload_mb: int = Field(ge=1)
    max_seconds: float = Field(gt=0)
    at_once: int = Field(ge=1)
    waiting: int = Field(ge=1)

    @property
    def max_upload(self) -> int:
        """Size of an uploaded file in bytes."""
        return self.max_upload_mb * MEGABYTE
