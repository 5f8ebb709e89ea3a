"""Preparation: pairs decoded and resized once, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from image_translation.errors import InputError
from image_translation.fingerprint import Deferred, code_digest, digest
from image_translation.imaging.decoding import UnreadableImageError, decode_image
from image_translation.imaging.resizing import fit_pillow
from image_translation.pairing.layouts import derive_sides, split_halves
from image_translation.pairing.settings import PairingSettings, PreparationSettings
from image_translation.pairing.threads import map_in_threads
from image_translation.sources import Source

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]

BATCH_SIZE = 8
"""Pairs that a thread makes, and that are written, at a time."""

_CODE = ("image_translation.imaging", __name__, "image_translation.pairing.layouts")


@dataclass(frozen=True)
class PairStream:
    """The pairs of one side of a split, on their way from files to arrays.

    Attributes:
        fingerprint: Digest of what the arrays are made from.
        index: One row a pair, in the order of the batches: ``pair_id``, ``group``.
        image_size: Height and width of the images in pixels.
        batches: Gives inputs and targets, each uint8, n×H×W×3, n ≤ ``BATCH_SIZE``.
    """

    fingerprint: str
    index: pd.DataFrame
    image_size: int
    batches: Callable[[], Iterator[Pair]]


def prepare_pairs(
    source: Source,
    split: pd.DataFrame,
    side: str,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> Deferred[PairStream]:
    """Prepare the pairs of one side, in the order of ``pair_id``.

    Sides are resized one by one, each antialiased. A recipe is applied after resizing,
    so that what it draws has the same size in pixels whatever the photo's; for
    ``grayscale`` either order gives the same up to rounding.

    Args:
        source: Where the files lie.
        split: Pairs with the manifest's columns and ``split``.
        side: ``train``, ``validation`` or ``test``.
        pairing: How files become pairs.
        preparation: Size, and how images are brought to it.

    Returns:
        The stream. Its fingerprint depends on contents, groups and settings, not on
        where the files lie or what they are called.
    """
    rows = split[split["split"] == side].sort_values("pair_id", ignore_index=True)
    contents = rows[["pair_id", "group", "input_sha256", "target_sha256"]]
    fingerprint = digest(contents, preparation, code_digest(*_CODE))
    files = list(zip(rows["input"], rows["target"], strict=True))
    load = partial(_load_batch, source.root, pairing, preparation)
    stream = PairStream(
        fingerprint=fingerprint,
        index=rows[["pair_id", "group"]],
        image_size=preparation.image_size,
        batches=lambda: map_in_threads(load, _chunk(files)),
    )
    return Deferred(fingerprint, lambda: stream)


def _chunk(files: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(files), BATCH_SIZE):
        yield files[start : start + BATCH_SIZE]


def _load_batch(
    root: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
    files: Sequence[tuple[str, str]],
) -> Pair:
    shape = (len(files), preparation.image_size, preparation.image_size, 3)
    inputs, targets = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for row, pair in enumerate(files):
        inputs[row], targets[row] = _load_pair(root, pairing, preparation, pair)
    return inputs, targets


def _load_pair(
    root: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
    files: tuple[str, str],
) -> Pair:
    fit = partial(_fit, preparation=preparation)
    input_file, target_file = files
    target = _decode(root / target_file)
    if pairing.layout == "single":
        return derive_sides(fit(target), pairing)
    if pairing.layout == "side_by_side":
        input_half, target_half = split_halves(np.asarray(target), pairing)
        return fit(Image.fromarray(input_half)), fit(Image.fromarray(target_half))
    return fit(_decode(root / input_file)), fit(target)


def _fit(image: Image.Image, preparation: PreparationSettings) -> NDArray[np.uint8]:
    fitted = fit_pillow(image, preparation.image_size, preparation.fit)
    return np.asarray(fitted.convert("RGB"))


def _decode(path: Path) -> Image.Image:
    try:
        return decode_image(path)
    except UnreadableImageError as error:
        raise InputError(
            f"{path} could be read when it was checked, and cannot now: {error}; "
            "restore it, or run again so that it is left out"
        ) from error
