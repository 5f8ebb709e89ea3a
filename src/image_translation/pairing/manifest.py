"""The manifest: all pairs that a source holds, each with a verdict and its reason."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from image_translation.imaging.decoding import UnreadableImageError, read_image
from image_translation.pairing.groups import name_groups
from image_translation.pairing.layouts import (
    Candidate,
    describe_transform,
    form_pairs,
    split_halves,
)
from image_translation.pairing.settings import PairingSettings
from image_translation.pairing.threads import map_in_threads
from image_translation.progress import progress
from image_translation.sources import Source

logger = logging.getLogger(__name__)

COLUMNS = (
    "pair_id",
    "input",
    "target",
    "group",
    "width",
    "height",
    "input_sha256",
    "target_sha256",
    "verdict",
    "reason",
)
"""The columns of the manifest."""

USED, LEFT_OUT = "used", "left_out"

_EQUAL = "input equals target"


@dataclass(frozen=True)
class FileFacts:
    """What opening a file told about it.

    Attributes:
        sha256: Digest of its bytes; empty where it could not be opened.
        size: Width and height of an image in pixels, upright; for ``side_by_side`` of
            one half. None where it is unreadable.
        problem: Why it cannot be used; empty where it can.
    """

    sha256: str
    size: tuple[int, int] | None
    problem: str


def build_manifest(source: Source, settings: PairingSettings) -> pd.DataFrame:
    """Form a source's pairs, open every file and judge each pair.

    Left out are pairs with an unreadable file or without a partner, pairs whose input
    equals the target, and all but one of several equal pairs. Pairs whose sides differ
    in size are used, with a reason.

    Args:
        source: The files.
        settings: How they become pairs.

    Returns:
        One row a pair, in the order of ``pair_id``, with ``COLUMNS``. Width and height
        are the target's, and missing where no side can be read. Apart from the columns
        ``input`` and ``target`` nothing depends on what the files are called or how
        they are ordered, as long as they form the same pairs.

    Raises:
        InputError: The layout does not suit the source.
    """
    candidates = form_pairs(source, settings)
    facts = _inspect_files(source.root, candidates, settings)
    transform = describe_transform(settings)
    rows = [_describe(c, facts, transform) for c in candidates]
    manifest = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"width": "Int64", "height": "Int64"}
    )
    manifest = manifest.sort_values(["pair_id", "input", "target"], ignore_index=True)
    manifest = _leave_out_duplicates(manifest)
    manifest["group"] = _name_groups(manifest, source.groups)
    _log_verdicts(manifest)
    return manifest


def _inspect_files(
    root: Path, candidates: list[Candidate], settings: PairingSettings
) -> dict[str, FileFacts]:
    files = sorted({f for c in candidates for f in (c.input, c.target) if f})
    inspect = partial(_inspect, root, settings)
    found = map_in_threads(inspect, files)
    shown = progress(found, "checking images", len(files), "images")
    return dict(zip(files, shown, strict=True))


def _inspect(root: Path, settings: PairingSettings, file: str) -> FileFacts:
    try:
        with (root / file).open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return FileFacts("", None, f"cannot be opened: {error.strerror}")
    try:
        image = read_image(root / file)
    except UnreadableImageError as error:
        return FileFacts(sha256, None, error.reason)
    height, width = image.shape[:2]
    if settings.layout != "side_by_side":
        return FileFacts(sha256, (width, height), "")
    problem = ""
    if width % 2:
        problem = f"width {width} cannot be cut into equal halves"
    elif np.array_equal(*split_halves(image, settings)):
        problem = _EQUAL
    return FileFacts(sha256, (width // 2, height), problem)


def _describe(
    candidate: Candidate,
    facts: Mapping[str, FileFacts],
    transform: str,
) -> dict[str, object]:
    """The row of one candidate, judged by itself."""
    nothing = FileFacts("", None, "")
    input_ = facts[candidate.input] if candidate.input else nothing
    target = facts[candidate.target] if candidate.target else nothing
    problems = _find_problems(candidate, input_, target)
    width, height = target.size or input_.size or (None, None)
    return {
        "pair_id": _pair_id(candidate, input_, target, transform),
        "input": candidate.input or "",
        "target": candidate.target or "",
        "group": "",
        "width": width,
        "height": height,
        "input_sha256": input_.sha256,
        "target_sha256": target.sha256,
        "verdict": LEFT_OUT if problems else USED,
        "reason": "; ".join(problems) or _find_oddity(input_, target),
    }


def _find_problems(
    candidate: Candidate, input_: FileFacts, target: FileFacts
) -> list[str]:
    problems = [candidate.reason] if candidate.reason else []
    if candidate.input == candidate.target:
        if target.problem:
            problems.append(_name_problem("file", target))
        return problems
    for side, facts in (("input", input_), ("target", target)):
        if facts.problem:
            problems.append(_name_problem(side, facts))
    if input_.sha256 and input_.sha256 == target.sha256:
        problems.append(_EQUAL)
    return problems


def _name_problem(side: str, facts: FileFacts) -> str:
    if facts.size:  # it could be read
        return facts.problem
    return f"{side} unreadable: {facts.problem}"


def _find_oddity(input_: FileFacts, target: FileFacts) -> str:
    if not input_.size or not target.size or input_.size == target.size:
        return ""
    sizes = [f"{width}×{height}" for width, height in (input_.size, target.size)]
    return f"sizes differ: input {sizes[0]}, target {sizes[1]}"


def _pair_id(
    candidate: Candidate, input_: FileFacts, target: FileFacts, transform: str
) -> str:
    parts = (input_.sha256, target.sha256)
    if not all(parts):
        parts = (candidate.input or "", candidate.target or "")
    return hashlib.sha256("\0".join((*parts, transform)).encode()).hexdigest()[:16]


def _leave_out_duplicates(manifest: pd.DataFrame) -> pd.DataFrame:
    """Of equal pairs keep the first; rows are sorted by id and path."""
    used = manifest[manifest["verdict"] == USED]
    repeated = used[used.duplicated("pair_id")]
    kept = used.drop_duplicates("pair_id").set_index("pair_id")["target"]
    manifest = manifest.copy()
    manifest.loc[repeated.index, "verdict"] = LEFT_OUT
    manifest.loc[repeated.index, "reason"] = [
        f"duplicate pair: the same as the one with target {kept[pair_id]!r}"
        for pair_id in repeated["pair_id"]
    ]
    return manifest


def _name_groups(manifest: pd.DataFrame, groups: Mapping[str, str]) -> pd.Series:
    """Groups that the source knows, joined where pairs share an identical file."""
    sides = zip(manifest["target"], manifest["input"], strict=True)
    given = [groups.get(target) or groups.get(input_, "") for target, input_ in sides]
    return name_groups(
        manifest["pair_id"],
        given,
        [manifest["input_sha256"], manifest["target_sha256"]],
    )


def _log_verdicts(manifest: pd.DataFrame) -> None:
    left_out = manifest[manifest["verdict"] == LEFT_OUT]
    logger.info(
        "%d pairs found: %d used, %d left out",
        len(manifest),
        len(manifest) - len(left_out),
        len(left_out),
    )
    for reason, count in (
        left_out["reason"].str.split(":").str[0].value_counts().items()
    ):
        logger.warning("%d left out: %s", count, reason)
