"""Inspection: every file of a pair is opened once, and what matters is written down."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from image_translation.imaging.decoding import (
    FORMAT_SUFFIXES,
    Decoded,
    UnreadableImageError,
    open_image,
)
from image_translation.imaging.looks import Look, correlate_edges, look_at
from image_translation.pairing.findings import Observation
from image_translation.pairing.layouts import Candidate, split_halves
from image_translation.pairing.settings import PairingSettings
from image_translation.pairing.threads import map_in_threads
from image_translation.progress import progress

PLAIN_MODES = frozenset({"L", "RGB"})
"""Pillow's modes that need no conversion."""

_UPRIGHT = 1


@dataclass(frozen=True)
class SideFacts:
    """What opening a side of a pair told about it.

    Attributes:
        sha256: Digest of the file's bytes; empty where it could not be opened.
        size: Width and height in pixels, upright; for ``side_by_side`` of the half.
            None where it is unreadable.
        look: What it looks like; None where it is unreadable.
    """

    sha256: str = ""
    size: tuple[int, int] | None = None
    look: Look | None = None


@dataclass(frozen=True)
class InspectedPair:
    """A candidate whose files have been opened.

    Attributes:
        candidate: The files.
        input: Facts about the input.
        target: Facts about the target; the same for a photo with a recipe.
        edge_correlation: How well the edges of both lie on each other; None where
            there are not two images to compare.
        observations: What is to be said about the pair by itself.
    """

    candidate: Candidate
    input: SideFacts
    target: SideFacts
    edge_correlation: float | None
    observations: tuple[Observation, ...]


def inspect_pairs(
    root: Path, candidates: Sequence[Candidate], settings: PairingSettings
) -> Iterator[InspectedPair]:
    """Open the files of all candidates, in parallel; in the order of the candidates."""
    inspect = partial(_inspect, root, settings)
    found = map_in_threads(inspect, candidates)
    return progress(found, "checking pairs", len(candidates), "pairs")


def _inspect(
    root: Path, settings: PairingSettings, candidate: Candidate
) -> InspectedPair:
    seen = []
    if candidate.reason:
        seen.append(Observation("no_partner", candidate.reason))
    if settings.layout == "two_folders":
        return _inspect_two_files(root, candidate, seen)
    return _inspect_one_file(root, settings, candidate, seen)


def _inspect_two_files(
    root: Path, candidate: Candidate, seen: list[Observation]
) -> InspectedPair:
    images, facts = [], []
    for side, file in (("input", candidate.input), ("target", candidate.target)):
        if file is None:
            facts.append(SideFacts())
            continue
        sha256, image = _open(root / file, side, seen)
        facts.append(_describe(sha256, image))
        images += [image] if image else []
    correlation = correlate_edges(*images) if len(images) == 2 else None
    if facts[0].sha256 and facts[0].sha256 == facts[1].sha256:
        seen.append(Observation("input_equals_target"))
    elif facts[0].size and facts[1].size:
        seen += _compare_sizes(facts[0].size, facts[1].size)
    return InspectedPair(candidate, facts[0], facts[1], correlation, tuple(seen))


def _inspect_one_file(
    root: Path,
    settings: PairingSettings,
    candidate: Candidate,
    seen: list[Observation],
) -> InspectedPair:
    sha256, image = _open(root / (candidate.target or ""), "file", seen)
    if image is None or settings.layout == "single":
        facts = _describe(sha256, image)
        return InspectedPair(candidate, facts, facts, None, tuple(seen))
    if image.width % 2:
        seen.append(Observation("unequal_halves", f"the width is {image.width}"))
    pixels = split_halves(np.asarray(image), settings)
    if np.array_equal(*pixels):
        seen.append(Observation("input_equals_target"))
    input_, target = map(Image.fromarray, pixels)
    return InspectedPair(
        candidate,
        _describe(sha256, input_),
        _describe(sha256, target),
        correlate_edges(input_, target),
        tuple(seen),
    )


def _describe(sha256: str, image: Image.Image | None) -> SideFacts:
    if image is None:
        return SideFacts(sha256)
    return SideFacts(sha256, image.size, look_at(image))


def _open(
    path: Path, side: str, seen: list[Observation]
) -> tuple[str, Image.Image | None]:
    """The digest and the image of a file; what is odd about it goes to ``seen``."""
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        text = f"{side} (cannot be opened: {error.strerror})"
        seen.append(Observation("unreadable", text))
        return "", None
    try:
        decoded = open_image(path)
    except UnreadableImageError as error:
        known = error.reason == error.kind
        text = side if known else f"{side} ({error.reason})"
        seen.append(Observation(error.kind, text))
        return sha256, None
    seen += _find_oddities(path, side, decoded)
    return sha256, decoded.image


def _find_oddities(path: Path, side: str, decoded: Decoded) -> Iterator[Observation]:
    if path.suffix.lower() not in FORMAT_SUFFIXES[decoded.format]:
        text = f"{side} is {decoded.format}, not {path.suffix}"
        yield Observation("lying_extension", text)
    if decoded.mode not in PLAIN_MODES:
        yield Observation("unusual_mode", f"{side} {decoded.mode}")
    if decoded.orientation != _UPRIGHT:
        yield Observation("exif_orientation", side)


def _compare_sizes(
    input_: tuple[int, int], target: tuple[int, int]
) -> Iterator[Observation]:
    if input_ == target:
        return
    shown = [f"{width}×{height}" for width, height in (input_, target)]
    text = f"input {shown[0]}, target {shown[1]}"
    yield Observation(
        "sizes_scaled" if same_shape(input_, target) else "sizes_differ", text
    )


def same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have one aspect ratio, up to rounding to whole pixels."""
    (width, height), (other_width, other_height) = one, other
    difference = abs(width * other_height - height * other_width)
    return difference <= max(*one, *other)
