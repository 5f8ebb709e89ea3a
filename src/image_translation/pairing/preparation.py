"""Preparation: pairs decoded and resized once, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.errors import InputError
from image_translation.fingerprint import Deferred, code_digest, digest
from image_translation.imaging.decoding import UnreadableImageError, read_image
from image_translation.imaging.resizing import fit_image
from image_translation.pairing.layouts import derive_sides, split_halves
from image_translation.pairing.settings import PairingSettings, PreparationSettings
from image_translation.pairing.threads import map_in_threads
from image_translation.sources import Source

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]

BATCH_SIZE = 32
"""Pairs that are handed on, and written, at a time."""

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
    load = partial(_load_pair, source.root, pairing, preparation)
    stream = PairStream(
        fingerprint=fingerprint,
        index=rows[["pair_id", "group"]],
        image_size=preparation.image_size,
        batches=lambda: _batch(map_in_threads(load, files)),
    )
    return Deferred(fingerprint, lambda: stream)


def _load_pair(
    root: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
    files: tuple[str, str],
) -> Pair:
    fit = partial(fit_image, size=preparation.image_size, how=preparation.fit)
    input_file, target_file = files
    target = _read(root / target_file)
    if pairing.layout == "single":
        return derive_sides(fit(target), pairing)
    if pairing.layout == "side_by_side":
        input_half, target_half = split_halves(target, pairing)
        return fit(input_half), fit(target_half)
    return fit(_read(root / input_file)), fit(target)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return read_image(path)
    except UnreadableImageError as error:
        raise InputError(
            f"{path} could be read when it was checked, and cannot now: {error}; "
            "restore it, or run again so that it is left out"
        ) from error


def _batch(pairs: Iterator[Pair]) -> Iterator[Pair]:
    while chunk := list(islice(pairs, BATCH_SIZE)):
        inputs, targets = zip(*chunk, strict=True)
        yield np.stack(inputs), np.stack(targets)
