"""Inspect pairs: open every file once and measure its image."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from image_translation.common.fingerprint import file_digest
from image_translation.common.progress import progress
from image_translation.common.threads import map_in_threads
from image_translation.imaging.decoding import (
    FORMAT_SUFFIXES,
    Decoded,
    UnreadableImageError,
    open_image,
)
from image_translation.imaging.image_stats import (
    ImageStats,
    correlate_edges,
    measure_image,
)
from image_translation.pairing.findings import Observation
from image_translation.pairing.layouts import Candidate, split_halves
from image_translation.pairing.settings import PairingSettings

PLAIN_MODES = frozenset({"L", "RGB"})
"""Pillow modes that need no conversion."""

_UPRIGHT = 1


@dataclass(frozen=True)
class ImageFacts:
    """Properties of one image of a pair.

    Attributes:
        sha256: Digest of the file's bytes; empty if it could not be opened.
        size: Width and height in pixels, upright; of the half for ``side_by_side``.
            None if unreadable.
        stats: Perceptual hash and statistics; None if unreadable.
        pixels: Digest of size and pixels, as they are used; empty if unreadable. Equal
            for files of different formats with the same pixels.
        orientation: EXIF orientation of the file, 1 to 8; 1 is upright.
        brightest: Maximum value of a file of more than 8 bits; None for others.
    """

    sha256: str = ""
    size: tuple[int, int] | None = None
    stats: ImageStats | None = None
    pixels: str = ""
    orientation: int = _UPRIGHT
    brightest: float | None = None


@dataclass(frozen=True)
class InspectedPair:
    """A candidate whose files have been opened.

    Attributes:
        candidate: The files.
        input: Properties of the input.
        target: Properties of the target; the same as the input's for a photo with a
            recipe.
        edge_correlation: Correlation of the edges of both images; None without two
            images.
        observations: Observations about this pair alone.
    """

    candidate: Candidate
    input: ImageFacts
    target: ImageFacts
    edge_correlation: float | None
    observations: tuple[Observation, ...]


def inspect_pairs(
    root: Path,
    candidates: Sequence[Candidate],
    settings: PairingSettings,
    white: float | None = None,
) -> Iterator[InspectedPair]:
    """Open the files of all candidates in parallel; results are in the order of
    candidates.
    """
    inspect = partial(_inspect, root, settings, white)
    found = map_in_threads(inspect, candidates)
    return progress(found, "checking pairs", len(candidates), "pairs")


def _inspect(
    root: Path,
    settings: PairingSettings,
    white: float | None,
    candidate: Candidate,
) -> InspectedPair:
    seen = []
    if candidate.reason:
        reason = candidate.reason.removeprefix("no partner: ")
        seen.append(Observation("no_partner", reason))
    if settings.layout == "two_folders":
        return _inspect_two_files(root, white, candidate, seen)
    return _inspect_one_file(root, settings, white, candidate, seen)


def _inspect_two_files(
    root: Path, white: float | None, candidate: Candidate, seen: list[Observation]
) -> InspectedPair:
    images, facts = [], []
    for role, file in (("input", candidate.input), ("target", candidate.target)):
        if file is None:
            facts.append(ImageFacts())
            continue
        sha256, decoded, found = _open(root / file, role, white)
        seen += [replace(each, file=file) for each in found]
        facts.append(_describe(sha256, decoded))
        images += [decoded.image] if decoded else []
    correlation = correlate_edges(*images) if len(images) == 2 else None
    if facts[0].pixels and facts[0].pixels == facts[1].pixels:
        seen.append(Observation("input_equals_target"))
    elif facts[0].size and facts[1].size:
        seen += _compare_sizes(facts[0].size, facts[1].size)
    return InspectedPair(candidate, facts[0], facts[1], correlation, tuple(seen))


def _inspect_one_file(
    root: Path,
    settings: PairingSettings,
    white: float | None,
    candidate: Candidate,
    seen: list[Observation],
) -> InspectedPair:
    sha256, decoded, found = _open(root / (candidate.target or ""), "file", white)
    seen += found
    if decoded is None or settings.layout == "single":
        facts = _describe(sha256, decoded)
        return InspectedPair(candidate, facts, facts, None, tuple(seen))
    image = decoded.image
    if image.width % 2:
        seen.append(Observation("unequal_halves", f"the width is {image.width}"))
    pixels = split_halves(np.asarray(image), settings)
    if np.array_equal(*pixels):
        seen.append(Observation("input_equals_target"))
    input_, target = map(Image.fromarray, pixels)
    return InspectedPair(
        candidate,
        _describe(sha256, decoded, input_),
        _describe(sha256, decoded, target),
        correlate_edges(input_, target),
        tuple(seen),
    )


def _describe(
    sha256: str, file: Decoded | None, half: Image.Image | None = None
) -> ImageFacts:
    """Properties of a file's image, or of a half of it."""
    if file is None:
        return ImageFacts(sha256)
    image = file.image if half is None else half
    pixels = hashlib.sha256(repr(image.size).encode())
    pixels.update(image.convert("RGB").tobytes())
    return ImageFacts(
        sha256,
        image.size,
        measure_image(image),
        pixels.hexdigest(),
        file.orientation,
        file.brightest,
    )


def _open(
    path: Path, role: str, white: float | None
) -> tuple[str, Decoded | None, list[Observation]]:
    """The digest and the image of a file, and observations about it."""
    try:
        sha256 = file_digest(path)
    except OSError as error:
        text = f"{role} (cannot be opened: {error.strerror})"
        return "", None, [Observation("unreadable", text)]
    try:
        decoded = open_image(path, white)
    except UnreadableImageError as error:
        known = error.reason == error.kind
        text = role if known else f"{role} ({error.reason})"
        return sha256, None, [Observation(error.kind, text)]
    return sha256, decoded, list(_find_oddities(path, role, decoded))


def _find_oddities(path: Path, role: str, decoded: Decoded) -> Iterator[Observation]:
    if path.suffix.lower() not in FORMAT_SUFFIXES[decoded.format]:
        text = f"{role} is {decoded.format}, not {path.suffix}"
        yield Observation("wrong_extension", text)
    if decoded.mode not in PLAIN_MODES:
        yield Observation("unusual_mode", f"{role} {decoded.mode}")
    if decoded.orientation != _UPRIGHT:
        yield Observation("exif_orientation", role)
    if decoded.frames > 1:
        yield Observation("several_frames", f"{role} {decoded.frames}")


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
    """True if two sizes have the same aspect ratio, up to rounding to whole pixels."""
    (width, height), (other_width, other_height) = one, other
    difference = abs(width * other_height - height * other_width)
    return difference <= max(*one, *other)
