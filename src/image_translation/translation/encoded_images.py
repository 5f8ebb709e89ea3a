"""Translate encoded images, from bytes to bytes."""

import io

from image_translation.imaging.photo_files import Photo, encode_photo, read_photo
from image_translation.translation.translator import Translator, translate_pixels

__all__ = ["Translator", "translate_encoded", "translate_photo", "translate_pixels"]


def translate_photo(translator: Translator, photo: Photo) -> Photo:
    """Translate a photograph and preserve size, transparency and metadata."""
    return photo.with_pixels(translate_pixels(translator, photo.pixels))


def translate_encoded(
    translator: Translator, data: bytes, white: float | None = None
) -> bytes:
    """Translate an image file.

    Args:
        translator: The translator.
        data: Content of a file of any supported format.
        white: ``preparation.white``.

    Returns:
        The content of a file of the same format, or of PNG if that format cannot store
        the result.

    Raises:
        UnreadableImageError: The content is not an image.
    """
    photo = translate_photo(translator, read_photo(io.BytesIO(data), white))
    return encode_photo(photo, translator.settings.quality)
