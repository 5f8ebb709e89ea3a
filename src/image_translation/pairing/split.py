"""The split: train, validation and test, decided by group and remembered."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from image_translation.errors import InputError
from image_translation.pairing.folders import SIDES, declare_sides, named_sides
from image_translation.pairing.groups import name_groups
from image_translation.pairing.labels import find_labels
from image_translation.pairing.manifest import COLUMNS, LEFT_OUT, USED
from image_translation.pairing.settings import Folders, Fractions, SplittingSettings
from image_translation.sources import Source

logger = logging.getLogger(__name__)


def split_pairs(
    manifest: pd.DataFrame,
    previous: pd.DataFrame | None,
    settings: SplittingSettings,
    source: Source,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign the used pairs to train, validation and test, each group to one side.

    Folders that hold sides already are followed. Where one is named for train, what
    lies in none is left out; the sides without a folder are cut from the train folder,
    or, without one, from what lies in no folder. A group that stands in the folders of
    two sides is a leak: only its pairs on the most held-out side stay.

    Elsewhere known pairs keep their side, also when the fractions change. New pairs
    join their group's side. New groups, in the order of a digest of their content, go
    to the side that lacks most pairs to its share. Where a group stands on several
    sides already, its new pairs, which tie them together, are left out; and where known
    pairs are tied directly, as by a new pattern, only those on the most held-out side
    stay.

    Args:
        manifest: Pairs, with the manifest's columns.
        previous: The split that was decided before, or None.
        settings: Shares of the sides, their folders, and what belongs together.
        source: Where the pairs come from; the sides that it names for its groups
            outrank ``previous``.

    Returns:
        The split: the used pairs in the order of ``pair_id`` with the manifest's
        columns, ``group`` as it was used here, and ``split``. And the pairs that were
        left out because they would tie sides together, or lie outside the folders, as
        in the manifest, with the reason.

    Raises:
        InputError: There are too few groups to have one on each side, the pattern, the
            table or the folders do not work, or ``previous`` is no split.
    """
    pairs = manifest.assign(folder=declare_sides(manifest, settings.folders))
    pairs = pairs[pairs["verdict"] == USED]
    pairs = pairs.sort_values("pair_id", ignore_index=True)
    labels = find_labels(pairs, settings, source.root)
    named = pairs["group"].where(pairs["group"].isin(list(source.sides)), "")
    # what ties a pair by itself, not through others
    pairs["label"] = [label or name for label, name in zip(labels, named, strict=True)]
    if settings.groups:
        pairs["group"] = name_groups(pairs["group"], labels, [pairs["group"]])
    pairs, outside = _part_outside(pairs, settings.folders)
    pairs, leaks = _part_leaks(pairs, settings.folders)
    pairs["split"] = _known_sides(pairs, _recall(previous), source.sides, settings)
    split, tied = _part_tied(pairs)
    split["split"] = split["group"].map(_place_groups(split, settings))
    _refuse_empty_sides(split, manifest)
    left_out = pd.concat([outside, leaks, tied], ignore_index=True)
    for reason, count in (
        left_out["reason"].str.split(":").str[0].value_counts().items()
    ):
        logger.warning("%d pairs are left out: %s", count, reason)
    columns = list(COLUMNS)
    return split[[*columns, "split"]].reset_index(drop=True), left_out[columns]


def find_leaks(split: pd.DataFrame) -> list[str]:
    """Test pairs that other sides have seen: an image of theirs stands there too.

    `split_pairs` lets none through; a table that was edited may hold some.

    Args:
        split: ``split.csv``.

    Returns:
        The inputs' names, in the order of the table.
    """
    is_test = split["split"] == "test"
    seen = pd.Series(False, index=split.index)
    for column in ("input_sha256", "target_sha256"):
        known = split.loc[~is_test, column]
        seen |= split[column].isin(known[known != ""])
    return split.loc[is_test & seen, "input"].tolist()


def _open_sides(folders: Folders) -> tuple[str, ...]:
    """The sides that pairs are placed on; the others are what their folders hold."""
    named = named_sides(folders)
    without = [side for side in SIDES if side not in named]
    return tuple(s for s in SIDES if s in without or (s == "train" and without))


def _part_outside(
    pairs: pd.DataFrame, folders: Folders
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the pairs that take part from those outside the folders that are named."""
    is_outside = (pairs["folder"] == "") & (folders.train is not None)
    reason = "outside the folders: not in one that splitting.folders names"
    return pairs[~is_outside].copy(), _leave_out(pairs[is_outside], reason)


def _part_leaks(
    pairs: pd.DataFrame, folders: Folders
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the pairs of each group on its most held-out folder from the others."""
    if not named_sides(folders):
        return pairs, pairs.head(0)
    fixed = [side for side in SIDES if side not in _open_sides(folders)]
    rank = pairs["folder"].map(lambda side: fixed.index(side) if side in fixed else -1)
    highest = rank.groupby(pairs["group"]).transform("max")
    leaks = pairs[rank < highest]
    sides = highest[rank < highest].map(lambda number: fixed[number])
    reasons = [f"leak: the same picture also stands in {side}" for side in sides]
    return pairs[rank == highest].copy(), _leave_out(leaks, reasons)


def _leave_out(pairs: pd.DataFrame, reason: str | list[str]) -> pd.DataFrame:
    return pairs.assign(verdict=LEFT_OUT, reason=reason)


def _recall(previous: pd.DataFrame | None) -> dict[str, str]:
    """The side of every pair that was split before."""
    if previous is None or previous.empty:
        return {}
    if (
        not {"pair_id", "split"} <= set(previous)
        or not previous["split"].isin(SIDES).all()
    ):
        raise InputError(
            "split.csv is damaged: it needs the columns pair_id and split with "
            f"{', '.join(SIDES)}; restore it, or delete it to split anew"
        )
    return dict(zip(previous["pair_id"].astype(str), previous["split"], strict=True))


def _known_sides(
    pairs: pd.DataFrame,
    recalled: Mapping[str, str],
    sides: Mapping[str, str],
    settings: SplittingSettings,
) -> list[str]:
    """The side that each pair has already; "" for none."""
    free = _open_sides(settings.folders)
    rows = zip(pairs["pair_id"], pairs["group"], pairs["folder"], strict=True)
    return [
        folder
        if folder and folder not in free
        else _only(free, sides.get(group) or recalled.get(pair_id, ""))
        for pair_id, group, folder in rows
    ]


def _only(allowed: Sequence[str], side: str) -> str:
    return side if side in allowed else ""


def _part_tied(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the pairs that can be split from those that tie sides together."""
    is_known = pairs["split"] != ""
    is_torn = pairs["group"].isin(_torn_groups(pairs[is_known]))
    pairs = pairs.copy()
    known = pairs[is_torn & is_known]
    # without the new pairs, known ones are tied by what they share themselves only
    pairs.loc[known.index, "group"] = group = _name_directly(pairs[is_torn], known)
    rank = known["split"].map(SIDES.index).astype(int)
    is_outranked = rank < rank.groupby(group).transform("max")
    is_tied = is_torn & ~is_known
    is_tied[known.index[is_outranked]] = True
    tied = _leave_out(pairs[is_tied], "its group stands on two sides of the split")
    return pairs[~is_tied].copy(), tied


def _name_directly(torn: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """The groups of known pairs by what ties them without new ones between them."""
    with_new = set(torn.loc[torn["split"] == "", "group"])
    whole = known["group"].where(~known["group"].isin(with_new), "")
    return name_groups(
        known["pair_id"],
        known["label"],
        [whole, known["input_sha256"], known["target_sha256"]],
    )


def _torn_groups(known: pd.DataFrame) -> list[str]:
    sides = known.groupby("group")["split"].nunique()
    return list(sides.index[sides > 1])


def _place_groups(pairs: pd.DataFrame, settings: SplittingSettings) -> dict[str, str]:
    """The side of every group; pairs come in the order of their ids."""
    sizes = Counter(pairs["group"])
    rows = zip(pairs["group"], pairs["split"], strict=True)
    sides = {group: side for group, side in rows if side}
    free = _open_sides(settings.folders)
    lacking = _shares(pairs["split"].isin(["", *free]).sum(), settings.fractions, free)
    smallest_share = min(lacking.values(), default=0)
    for group, side in sides.items():
        if side in lacking:
            lacking[side] -= sizes[group]
    new = [group for group in sizes if group not in sides]
    # what is larger than the smallest share comes first, while there is room elsewhere
    new.sort(key=lambda group: sizes[group] <= smallest_share)
    empty = set(free) - set(sides.values())
    for remaining, group in zip(range(len(new), 0, -1), new, strict=True):
        choice = empty if remaining <= len(empty) else set(free)
        side = max(sorted(choice), key=lacking.__getitem__)
        sides[group] = side
        lacking[side] -= sizes[group]
        empty.discard(side)
    return sides


def _shares(count: int, fractions: Fractions, sides: Sequence[str]) -> dict[str, float]:
    """How many of ``count`` pairs each of the sides should have."""
    parts = {side: getattr(fractions, side) for side in sides}
    return {side: count * part / sum(parts.values()) for side, part in parts.items()}


def _refuse_empty_sides(split: pd.DataFrame, manifest: pd.DataFrame) -> None:
    missing = [side for side in SIDES if side not in set(split["split"])]
    if not missing:
        return
    count = split["group"].nunique()
    left_out = manifest.loc[manifest["verdict"] == LEFT_OUT, "reason"]
    example = f", such as for: {left_out.iloc[0]}" if len(left_out) else ""
    remedy = (
        "add images or choose other groups"
        if count < len(SIDES)
        else "an earlier split put all of them elsewhere; delete split.csv to split anew"
    )
    raise InputError(
        f"splitting: nothing for {' and '.join(missing)}: {len(split)} usable pairs in "
        f"{count} groups, and each of {', '.join(SIDES)} needs at least one group; "
        f"{len(left_out)} pairs were left out{example}; {remedy}"
    )
