"""MNIST's IDX files: many images in one file.

The format is described by LeCun, Cortes and Burges on the page of the MNIST database:
two zero bytes, a byte for the type (8: unsigned bytes), a byte for the number of
dimensions, each dimension as a big-endian 32-bit number, and the values.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import fingerprint
from image_translation.common.progress import progress
from image_translation.sources.cached_dir import cached_dir

_NAME = re.compile(r"^(?P<set>.+)-images[-.]idx3-ubyte(\.gz)?$")
_MAX_BYTES = 4 << 30
_MAX_IMAGES = 2_000_000  # one file each; EMNIST, the largest IDX set, has 814,255
_UNSIGNED_BYTES = 8


def find_idx(folder: Path) -> dict[str, Path]:
    """The image files in IDX format of a folder, by the name of their set.

    Kaggle's copies contain each file twice, once in a separate folder.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*-images*idx3-ubyte*")):
        match = _NAME.match(path.name)
        if match and path.is_file():
            found.setdefault(match["set"], path)
    return found


def convert_idx(files: dict[str, Path], folder: Path) -> Path:
    """Write the images of IDX files as PNG: ``<set>/<label>/<number>.png``.

    The label is read from the set's other file, ``<set>-labels-idx1-ubyte``, and
    omitted if that file is missing.

    Args:
        files: Image files by the name of their set, such as ``train``.
        folder: Folder for the PNG files.

    Raises:
        InputError: A file is damaged, or labels and images differ in number.
    """
    states = [
        (name, path.stat().st_size, path.stat().st_mtime_ns)
        for name, path in files.items()
    ]
    made_from = fingerprint(f"{__name__}._write_sets", files=states)
    return cached_dir(folder, made_from, lambda root: _write_sets(files, root))


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not.

    Returns:
        uint8, with the dimensions of the file: n×H×W for images.

    Raises:
        InputError: The file is not an IDX file, or is truncated.
    """
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    try:
        with opened as file:
            zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
            if zeros or kind != _UNSIGNED_BYTES or not 1 <= dimensions <= 3:
                raise InputError(f"source: {path} is not an IDX file of unsigned bytes")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            if math.prod(shape) > _MAX_BYTES:
                raise InputError(f"source: {path} declares a size above 4 GiB")
            values = np.frombuffer(file.read(math.prod(shape)), np.uint8)
            return values.reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"source: the IDX file {path} is damaged ({error}); download it again"
        ) from error


def _write_sets(files: dict[str, Path], root: Path) -> None:
    for name, path in files.items():
        images = read_idx(path)
        if images.ndim != 3:
            raise InputError(
                f"source: {path} contains no images: {images.ndim} dimensions"
            )
        if len(images) > _MAX_IMAGES:
            raise InputError(
                f"source: {path} contains {len(images):,} images; the limit is "
                f"{_MAX_IMAGES:,}. Use a smaller file, or pass a folder of images"
            )
        folders = _folders(path, name, len(images))
        for folder in sorted(set(folders)):
            (root / name / folder).mkdir(parents=True)
        numbered = zip(images, folders, strict=True)
        shown = progress(numbered, f"writing {name}", len(images), "images")
        for number, (image, folder) in enumerate(shown):
            Image.fromarray(image).save(root / name / folder / f"{number:05d}.png")


def _folders(path: Path, name: str, count: int) -> list[str]:
    """The sub-folder of every image: its label."""
    labels_name = path.name.replace("-images", "-labels").replace("idx3", "idx1")
    labels_path = path.with_name(labels_name)
    if not labels_path.is_file():
        return [""] * count
    labels = read_idx(labels_path).ravel()
    if len(labels) != count:
        raise InputError(
            f"source: {path} contains {count} images and {labels_path} {len(labels)} "
            f"labels; both must be complete files of {name}"
        )
    return [str(label) for label in labels]
