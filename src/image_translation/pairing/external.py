"""Predictions that another program made, matched to pairs by the names of their files."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.fingerprint import file_digest
from image_translation.imaging.decoding import UnreadableImageError, read_image
from image_translation.imaging.resizing import fit_image
from image_translation.pairing.layouts import normalize_name
from image_translation.pairing.settings import ExternalSettings, PreparationSettings
from image_translation.sources import Source
from image_translation.sources.folder import list_folder

logger = logging.getLogger(__name__)

_NAMED = 5  # maximum number of names in a message


@dataclass(frozen=True)
class ExternalPredictions:
    """The predictions of one model that was trained elsewhere.

    Attributes:
        model: Name of the model.
        files: For each replicate, the file of each pair, in the order of the pairs.
        size: Height and width of the pairs in pixels.
        fit: How images of another size are resized; None to reject them.
    """

    model: str
    files: Sequence[Sequence[Path]]
    size: int
    fit: Literal["resize", "pad", "crop"] | None

    def digests(self) -> list[list[str]]:
        """SHA-256 of every file."""
        return [[file_digest(file) for file in files] for files in self.files]

    def read(
        self, batch_size: int = 64
    ) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
        """Read the images in batches.

        Yields:
            The replicate, the number of the first pair, and images, uint8 n×S×S×3.

        Raises:
            InputError: A file cannot be read, or its image has another size.
        """
        with ThreadPoolExecutor() as pool:
            for replicate, files in enumerate(self.files):
                for start in range(0, len(files), batch_size):
                    chunk = files[start : start + batch_size]
                    yield replicate, start, np.stack(list(pool.map(self._read, chunk)))

    def _read(self, file: Path) -> NDArray[np.uint8]:
        try:
            image = read_image(file)
        except (OSError, UnreadableImageError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(
                f"models.{self.model}.predictions: {file} cannot be used: {reason}"
            ) from error
        if image.shape[:2] == (self.size, self.size):
            return image
        if self.fit is None:
            height, width = image.shape[:2]
            raise InputError(
                f"models.{self.model}.predictions: {file} has {width}×{height} pixels, "
                f"the pairs {self.size}×{self.size} (preparation.image_size); make the "
                f"predictions of that size, or pass models.{self.model}.resize=true"
            )
        return fit_image(image, self.size, self.fit)


def find_predictions(
    model: str,
    settings: ExternalSettings,
    pairs: pd.DataFrame,
    preparation: PreparationSettings,
) -> ExternalPredictions:
    """Find the prediction of every pair.

    Args:
        model: Name of the model.
        settings: Folders of predictions, and whether images are resized.
        pairs: Rows ``pair_id``, ``input`` and ``target`` of the pairs.
        preparation: Size of the pairs, and how other sizes are fitted to it.

    Raises:
        InputError: A folder is missing, or a pair has no prediction or several.
    """
    parameter = f"models.{model}.predictions"
    files = []
    for folder in settings.folders:
        source = list_folder(Path(folder), parameter=parameter)
        matched = match_files(source, pairs, parameter)
        files.append([source.root / matched[pair] for pair in pairs["pair_id"]])
    fit = preparation.fit if settings.resize else None
    return ExternalPredictions(model, files, preparation.image_size, fit)


def match_files(source: Source, pairs: pd.DataFrame, parameter: str) -> dict[str, str]:
    """Match the files of a folder to pairs.

    A file belongs to a pair if its name without suffix, with or without its sub-folders,
    is the pair's id or that of the pair's input or target. Names that several pairs
    share match none of them.

    Args:
        source: The files.
        pairs: Rows ``pair_id``, ``input`` and ``target``.
        parameter: Name of the parameter of the folder, for messages.

    Returns:
        The file of every pair, by ``pair_id``.

    Raises:
        InputError: A pair has no file, or several.
    """
    pair_of = _names_of(pairs)
    matched: dict[str, list[str]] = {pair: [] for pair in pairs["pair_id"]}
    others = 0
    for file in source.files:
        pair = pair_of.get(_stem(file)) or pair_of.get(_last(file))
        if pair is None:
            others += 1
        else:
            matched[pair].append(file)
    inputs = dict(zip(pairs["pair_id"], pairs["input"], strict=True))
    missing = [inputs[pair] for pair, files in matched.items() if not files]
    if missing:
        raise InputError(
            f"{parameter}: {source.root} has no prediction for "
            f"{wording.count(len(missing), 'pair')} of {len(matched)}: "
            f"{_list_some(missing)}; name each file like the input or the target of its "
            "pair"
        )
    doubled = [", ".join(files) for files in matched.values() if len(files) > 1]
    if doubled:
        raise InputError(
            f"{parameter}: {source.root} has several predictions for one pair: "
            f"{_list_some(doubled)}; keep one, or pass one folder for each replicate: a|b"
        )
    if others:
        logger.info(
            "%s: ignoring %s in %s that belong to no scored pair",
            parameter,
            wording.count(others, "file"),
            source.root,
        )
    return {pair: files[0] for pair, files in matched.items()}


def _names_of(pairs: pd.DataFrame) -> Mapping[str, str]:
    """Name → the only pair with it; pair ids first, then names with folders."""
    ids = pairs["pair_id"].tolist()
    found: dict[str, str] = {}
    paths = (pairs["input"], pairs["target"])
    kinds = [pairs["pair_id"]]
    kinds += [files.map(_stem) for files in paths]
    kinds += [files.map(_last) for files in paths]
    for names in kinds:
        counts = Counter(names)
        unique = {n: pair for n, pair in zip(names, ids, strict=True) if counts[n] == 1}
        found = {**unique, **found}
    return found


def _stem(file: str) -> str:
    stem = PurePosixPath(file).with_suffix("").as_posix() if file else ""
    return normalize_name(stem)


def _last(file: str) -> str:
    return PurePosixPath(_stem(file)).name


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
