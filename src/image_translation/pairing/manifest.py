"""The manifest: all pairs of a source, each with a verdict and its reason."""

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from image_translation.common import wording
from image_translation.pairing.findings import (
    ALWAYS_LEFT_OUT,
    KINDS,
    Observation,
    tabulate,
)
from image_translation.pairing.groups import connect_rows, name_groups
from image_translation.pairing.inspection import (
    InspectedPair,
    inspect_pairs,
)
from image_translation.pairing.layouts import (
    Candidate,
    describe_transform,
    form_pairs,
)
from image_translation.pairing.near_duplicates import find_near_duplicates
from image_translation.pairing.outliers import find_outliers
from image_translation.pairing.settings import AuditSettings, PairingSettings
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

Seen = list[list[Observation]]
"""Observations of each pair, in the order of the manifest."""


def build_manifest(
    source: Source,
    settings: PairingSettings,
    audit: AuditSettings,
    white: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Form a source's pairs, open every file, and audit each pair.

    Args:
        source: The files.
        settings: How files form pairs.
        audit: Which findings exclude a pair.
        white: ``preparation.white``.

    Returns:
        The manifest, one row per pair in the order of ``pair_id``, with ``COLUMNS``;
        and the table of findings. Width and height are those of the target, and missing
        if neither image is readable. Except for the columns ``input`` and ``target``,
        the manifest does not depend on file names or their order, as long as they form
        the same pairs.

    Raises:
        InputError: The layout does not suit the source.
    """
    candidates = form_pairs(source, settings)
    transform = describe_transform(settings)
    by_id = [
        (_pair_id(pair, transform), _name(pair.candidate), pair)
        for pair in inspect_pairs(source.root, candidates, settings, white)
    ]
    by_id.sort(key=lambda row: row[:2])
    ids, inspected = [row[0] for row in by_id], [row[2] for row in by_id]
    seen = [list(pair.observations) for pair in inspected]
    _compare(inspected, seen, white)
    dropped = [_is_left_out(found, audit.leave_out) for found in seen]
    ties = [""] * len(ids)
    if audit.near_duplicates:
        ties = _tie_near_duplicates(inspected, dropped, seen)
    manifest = _tabulate(ids, inspected, seen, dropped)
    manifest["group"] = _name_groups(manifest, inspected, source.groups, ties)
    names = [_name(pair.candidate) for pair in inspected]
    return manifest, tabulate(names, seen, dropped)


def _compare(pairs: Sequence[InspectedPair], seen: Seen, white: float | None) -> None:
    """Append observations that depend on several pairs."""
    first: dict[tuple[str, str], str] = {}
    usable = []
    for number, pair in enumerate(pairs):
        if _is_left_out(seen[number], ()):
            continue
        pixels = pair.input.pixels, pair.target.pixels
        if pixels in first:
            text = f"the same as the one with target {first[pixels]!r}"
            seen[number].append(Observation("duplicate_pair", text))
            continue
        first[pixels] = pair.candidate.target or ""
        usable.append(number)
    for position, found in find_outliers([pairs[number] for number in usable], white):
        seen[usable[position]].append(found)


def _name(candidate: Candidate) -> str:
    """Name of a pair: one of its files."""
    return candidate.target or candidate.input or ""


def _is_left_out(seen: Sequence[Observation], chosen: Collection[str]) -> bool:
    return any(o.kind in ALWAYS_LEFT_OUT or o.kind in chosen for o in seen)


def _tie_near_duplicates(
    pairs: Sequence[InspectedPair], dropped: Sequence[bool], seen: Seen
) -> list[str]:
    """A common label for pairs with similar inputs or similar targets.

    Pairs that share a file are already connected, without an observation.
    """
    used = [number for number, is_dropped in enumerate(dropped) if not is_dropped]
    matches: set[tuple[int, int]] = set()
    for role in ("input", "target"):
        facts = [getattr(pairs[number], role) for number in used]
        matches.update(
            (one, other)
            for one, other in find_near_duplicates([fact.stats for fact in facts])
            if facts[one].pixels != facts[other].pixels
        )
    clusters = connect_rows(matches, len(used))
    sizes = Counter(clusters)
    labels = [""] * len(pairs)
    for number, cluster in zip(used, clusters, strict=True):
        if sizes[cluster] > 1:
            labels[number] = str(cluster)
            seen[number].append(Observation("near_duplicates"))
    return labels


def _tabulate(
    ids: Sequence[str],
    pairs: Sequence[InspectedPair],
    seen: Seen,
    dropped: Sequence[bool],
) -> pd.DataFrame:
    rows = [
        _describe(pair_id, pair, found, is_dropped)
        for pair_id, pair, found, is_dropped in zip(
            ids, pairs, seen, dropped, strict=True
        )
    ]
    manifest = pd.DataFrame(rows, columns=list(COLUMNS))
    return manifest.astype({"width": "Int64", "height": "Int64"})


def _describe(
    pair_id: str, pair: InspectedPair, seen: Sequence[Observation], is_dropped: bool
) -> dict[str, object]:
    width, height = pair.target.size or pair.input.size or (None, None)
    reasons = [o.text for o in seen if KINDS[o.kind].severity != "info"]
    return {
        "pair_id": pair_id,
        "input": pair.candidate.input or "",
        "target": pair.candidate.target or "",
        "group": "",
        "width": width,
        "height": height,
        "input_sha256": pair.input.sha256,
        "target_sha256": pair.target.sha256,
        "verdict": LEFT_OUT if is_dropped else USED,
        "reason": "; ".join(dict.fromkeys(reasons)),
    }


def _pair_id(pair: InspectedPair, transform: str) -> str:
    parts = (pair.input.sha256, pair.target.sha256)
    if not all(parts):
        parts = (pair.candidate.input or "", pair.candidate.target or "")
    return hashlib.sha256("\0".join((*parts, transform)).encode()).hexdigest()[:16]


def _name_groups(
    manifest: pd.DataFrame,
    inspected: Sequence[InspectedPair],
    groups: Mapping[str, str],
    ties: Sequence[str],
) -> pd.Series:
    """The source's groups, merged where used pairs share an image or are similar.

    An excluded pair is a group of its own and connects nothing.
    """
    pairs = zip(manifest["target"], manifest["input"], strict=True)
    given = [groups.get(target) or groups.get(input_, "") for target, input_ in pairs]
    is_used = manifest["verdict"] == USED
    images = [
        pd.Series([getattr(pair, role).pixels for pair in inspected]).where(is_used, "")
        for role in ("input", "target")
    ]
    return name_groups(manifest["pair_id"], given, [*images, ties])


def log_findings(manifest: pd.DataFrame, findings: pd.DataFrame) -> None:
    """Log the number of pairs and the findings."""
    used = int((manifest["verdict"] == USED).sum())
    logger.info(
        "%s found: %d used, %d excluded",
        wording.count(len(manifest), "pair"),
        used,
        len(manifest) - used,
    )
    for row in findings.to_dict("records"):
        level = logging.INFO if row["severity"] == "info" else logging.WARNING
        name = KINDS[row["finding"]].label
        pairs = wording.count(row["count"], "pair")
        logger.log(level, "%s: %s (%s)", pairs, name, row["action"])
        if KINDS[row["finding"]].is_shared:
            logger.warning("%s", row["explanation"])
