"""Parameters of the app."""

from pydantic import Field

from image_translation.common.schema import Settings

MEGABYTE = 2**20
"""Size of a megabyte as in Gradio's message about the limit."""


class AppSettings(Settings):
    """Limits of the app."""

    max_upload_mb: int = Field(ge=1)
    max_seconds: float = Field(gt=0)
    at_once: int = Field(ge=1)
    waiting: int = Field(ge=1)

    @property
    def max_upload(self) -> int:
        """Maximum size of an uploaded file in bytes."""
        return self.max_upload_mb * MEGABYTE
