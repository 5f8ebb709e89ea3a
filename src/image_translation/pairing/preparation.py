"""Prepare pairs: decode and resize once, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import digest, fingerprint
from image_translation.common.stamps import Stamp
from image_translation.common.threads import map_in_threads
from image_translation.imaging.decoding import UnreadableImageError, decode_image
from image_translation.imaging.resizing import fit_pillow
from image_translation.pairing.arrays import Pair, PairArrays, read_pairs, write_pairs
from image_translation.pairing.layouts import (
    fingerprint_derivation,
    make_derivation,
    split_halves,
)
from image_translation.pairing.settings import PairingSettings, PreparationSettings
from image_translation.sources import Source

Loader = Callable[[str, str], Pair]
"""Maps input file and target file, relative to the source's root, to the two images."""

BATCH_SIZE = 8
"""Number of pairs that a thread prepares and that are written at once."""


def prepare_pairs(
    source: Source,
    split: pd.DataFrame,
    subset: str,
    folder: Path,
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> PairArrays:
    """Prepare the pairs of one subset, in the order of ``pair_id``.

    Input and target are resized separately, each antialiased. A recipe is applied after
    resizing, so its details have the same size in pixels for every photo; for
    ``grayscale`` both orders give the same result up to rounding.

    Args:
        source: The files.
        split: Pairs with the manifest's columns and ``split``.
        subset: ``train``, ``validation`` or ``test``.
        folder: Folder of the arrays; kept if it is up to date.
        pairing: How files form pairs.
        preparation: Size and method of resizing.

    Returns:
        The arrays. They are kept if contents, groups and settings are unchanged,
        wherever the files are and whatever their names.

    Raises:
        InputError: The recipe's settings are invalid, or a file has changed.
    """
    rows = split[split["split"] == subset].sort_values("pair_id", ignore_index=True)
    contents = rows[["pair_id", "group", "input_sha256", "target_sha256"]]
    made_from = fingerprint(
        __name__,
        pairs=contents,
        preparation=preparation,
        recipe=fingerprint_derivation(pairing),
    )
    files = list(zip(rows["input"], rows["target"], strict=True))

    def write() -> None:
        load = _make_loader(source.root, pairing, preparation)
        batches = map_in_threads(partial(_load_batch, load), _chunk(files))
        index = rows[["pair_id", "group"]]
        write_pairs(folder, index, preparation.image_size, batches)

    Stamp(folder).update(made_from, write)
    return read_pairs(folder)


def identify_pairs(
    pair_ids: Sequence[str],
    pairing: PairingSettings,
    preparation: PreparationSettings,
) -> str:
    """Digest of the pairs and their preparation, independent of the code.

    Args:
        pair_ids: The pairs, in any order.
        pairing: The recipe's settings, if a recipe derives one image of the pairs.
        preparation: Size and method of resizing.

    Returns:
        16 hexadecimal digits.

    Raises:
        InputError: The recipe's settings are invalid.
    """
    derivation = fingerprint_derivation(pairing)
    # None is left out: sets of before the field existed keep their digest
    fields = preparation.model_dump(mode="json", exclude_none=True)
    return digest(sorted(pair_ids), fields, derivation)[:16]


def _chunk(files: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(files), BATCH_SIZE):
        yield files[start : start + BATCH_SIZE]


def _load_batch(load: Loader, files: Sequence[tuple[str, str]]) -> Pair:
    inputs, targets = zip(*(load(*pair) for pair in files), strict=True)
    return np.stack(inputs), np.stack(targets)


def _make_loader(
    root: Path, pairing: PairingSettings, preparation: PreparationSettings
) -> Loader:
    """Return a function that loads a pair's images, according to the layout."""
    fit = partial(_fit, preparation=preparation)
    decode = partial(_decode, white=preparation.white)

    def load_single(_: str, photo_file: str) -> Pair:
        return derive_sides(fit(decode(root / photo_file)))

    def load_halves(_: str, file: str) -> Pair:
        halves = split_halves(np.asarray(decode(root / file)), pairing)
        input_, target = map(Image.fromarray, halves)
        return fit(input_), fit(target)

    def load_both(input_file: str, target_file: str) -> Pair:
        return fit(decode(root / input_file)), fit(decode(root / target_file))

    if pairing.layout == "single":
        derive_sides = make_derivation(pairing)
        return load_single
    return load_halves if pairing.layout == "side_by_side" else load_both


def _fit(image: Image.Image, preparation: PreparationSettings) -> NDArray[np.uint8]:
    fitted = fit_pillow(image, preparation.image_size, preparation.fit)
    return np.asarray(fitted.convert("RGB"))


def _decode(path: Path, white: float | None) -> Image.Image:
    try:
        return decode_image(path, white)
    except UnreadableImageError as error:
        raise InputError(
            f"{path} was readable during the audit, but is not any more: {error}; "
            "restore it, or run again to exclude it"
        ) from error
