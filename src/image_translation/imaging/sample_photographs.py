"""The embedded source: colour photographs that ship with installed packages.

Nothing is downloaded. Every photograph was inspected. Excluded are drawings, charts,
textures without colour and medical slides; the right view of the motorcycle, which
shows the same scene as the left one; and the Hubble deep field, a composite of filtered
exposures in false colours on an almost black sky.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.common.names import TEST, TRAIN, VALIDATION
from image_translation.imaging.decoding import read_image
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.imaging.resizing import fit_image


@dataclass(frozen=True)
class Photograph:
    """A photograph inside an installed package.

    Attributes:
        name: Name of the photograph and of the group of its crops.
        package: The package that ships it.
        file: Path inside the package.
        credit: Author and licence, as the package states them.
    """

    name: str
    package: str
    file: str
    credit: str

    @property
    def path(self) -> Path:
        """Path of the photograph on this machine.

        Raises:
            InputError: The package is not installed, or does not contain the file.
        """
        spec = find_spec(self.package)  # does not import the package
        if spec is None or spec.origin is None:
            raise InputError(f"the package {self.package} is missing: run `make run`")
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise InputError(
                f"the installed {self.package} does not contain {self.file}: install the "
                "version in the lock file"
            )
        return path


PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        "skimage",
        "data/astronaut.png",
        "Eileen Collins, NASA; no known copyright restrictions, public domain",
    ),
    Photograph("chelsea", "skimage", "data/chelsea.png", "Stefan van der Walt, CC0"),
    Photograph(
        "china",
        "sklearn",
        "datasets/images/china.jpg",
        "danielbuechele on Flickr, CC BY 2.0",
    ),
    Photograph("coffee", "skimage", "data/coffee.png", "Rachel Michetti, CC0"),
    Photograph(
        "flower",
        "sklearn",
        "datasets/images/flower.jpg",
        "vultilion on Flickr, CC BY 2.0",
    ),
    Photograph(
        "grace_hopper",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "portrait of Grace Hopper, U.S. Navy; shipped as matplotlib sample data",
    ),
    Photograph(
        "motorcycle",
        "skimage",
        "data/motorcycle_left.png",
        "Middlebury 2014 stereo benchmark, Scharstein et al. (GCPR 2014)",
    ),
    Photograph("rocket", "skimage", "data/rocket.jpg", "SpaceX, public domain"),
)

VALIDATION_PHOTOGRAPHS = ("flower",)
TEST_PHOTOGRAPHS = ("chelsea", "grace_hopper", "motorcycle")
"""Held-out photographs, chosen by content before any training: an animal, a portrait
and an indoor scene, whose kinds of colour (warm browns, skin, flag, sky) also
occur in the training photographs.
"""

MAX_CROP_SIZE = 256
"""Larger crops are reduced to this size in pixels."""

MIN_CONTRAST = 10.0
"""Crops with a smaller standard deviation of luma (0–255) are empty sky or shadow,
and are skipped.
"""

# Window size in percent of the short edge: number of windows along the short and the
# long edge. Held-out photographs have few and large windows: overlapping ones add little
# to a test, and people judge what they recognize.
_TRAIN_WINDOWS = {100: (1, 3), 67: (3, 4), 50: (4, 5), 33: (6, 7)}
_HELD_OUT_WINDOWS = {100: (1, 2), 50: (2, 3)}


def subset_of(name: str) -> str:
    """The subset of a photograph."""
    if name in TEST_PHOTOGRAPHS:
        return TEST
    return VALIDATION if name in VALIDATION_PHOTOGRAPHS else TRAIN


def write_crops(folder: Path) -> dict[str, str]:
    """Cut all photographs into square crops.

    Files are ``<photo>/<photo>-<percent of short edge>-<row>-<column>.png``, at most
    ``MAX_CROP_SIZE`` pixels wide, antialiased. Every call writes the same bytes.

    Args:
        folder: Output folder; created if necessary.

    Returns:
        The photograph of each file, by path relative to ``folder``.
    """
    groups = {}
    for photo in PHOTOGRAPHS:
        (folder / photo.name).mkdir(parents=True, exist_ok=True)
        for label, crop in _cut(read_image(photo.path), subset_of(photo.name)):
            file = f"{photo.name}/{photo.name}-{label}.png"
            # fast to write; the files are only a few MB in total
            Image.fromarray(crop).save(folder / file, compress_level=1)
            groups[file] = photo.name
    return groups


def _cut(
    photo: NDArray[np.uint8], subset: str
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    height, width = photo.shape[:2]
    windows = _TRAIN_WINDOWS if subset == TRAIN else _HELD_OUT_WINDOWS
    for percent, (short, long) in windows.items():
        size = min(height, width) * percent // 100
        rows, columns = (short, long) if height <= width else (long, short)
        for row, top in enumerate(_offsets(height - size, rows)):
            for column, left in enumerate(_offsets(width - size, columns)):
                crop = photo[top : top + size, left : left + size]
                if grayscale(crop)[..., 0].std() >= MIN_CONTRAST:
                    shown = fit_image(crop, min(size, MAX_CROP_SIZE), "resize")
                    yield f"{percent:03d}-{row}-{column}", shown


def _offsets(room: int, count: int) -> list[int]:
    """Evenly spaced starts of windows, without repetitions."""
    if count == 1:
        return [room // 2]
    return sorted({index * room // (count - 1) for index in range(count)})
