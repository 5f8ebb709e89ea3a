"""Thumbnails of photographs and their translations, for the page of results."""

import hashlib
from pathlib import Path

from PIL import Image

from image_translation.imaging.photo_files import Photo
from image_translation.imaging.resizing import FILTER

FOLDER = "index_files"
LONG_SIDE = 640
QUALITY = 85
BACKGROUND = 255
"""Background of transparent pixels: white."""


class Previews:
    """JPEG files in a folder next to the page.

    Args:
        output: The page's folder.
    """

    def __init__(self, output: Path) -> None:
        self._output = output

    def link(self, file: str, model: str = "") -> str:
        """A preview's path relative to the page; without a model, that of the
        photograph.
        """
        name = hashlib.sha256(f"{file}\0{model}".encode()).hexdigest()[:20]
        return f"{FOLDER}/{name}.jpg"

    def exist(self, file: str, model: str) -> bool:
        return all((self._output / self.link(file, m)).is_file() for m in ("", model))

    def write(self, file: str, model: str, before: Photo, after: Photo) -> None:
        (self._output / FOLDER).mkdir(exist_ok=True)
        for name, photo in (("", before), (model, after)):
            shrink(photo, LONG_SIDE).save(
                self._output / self.link(file, name), "JPEG", quality=QUALITY
            )


def shrink(photo: Photo, max_size: int) -> Image.Image:
    """Reduce a photograph to at most ``max_size`` pixels, on white."""
    image = Image.fromarray(photo.pixels)
    scale = min(1.0, max_size / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, FILTER, reducing_gap=3)
    if photo.alpha is None:
        return small
    mask = Image.fromarray(photo.alpha).resize(size, FILTER)
    return Image.composite(small, Image.new("RGB", size, (BACKGROUND,) * 3), mask)
