"""The split into train, validation and test, by group and persistent."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.names import SUBSETS, TEST, TRAIN
from image_translation.pairing.folders import declare_subsets, named_subsets
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
    """Assign the used pairs to train, validation and test, each group to one subset.

    Folders that define subsets take precedence. If one is given for train, pairs in
    none of the folders are excluded; subsets without a folder are taken from the train
    folder, or, without one, from the pairs in no folder. A group in the folders of two
    subsets is a leak: only its pairs in the most held-out subset are kept.

    Otherwise known pairs keep their subset, even if the fractions change. New pairs
    join their group's subset. New groups, in the order of a digest of their content, go
    to the subset that lacks most pairs to its share. If a group is already in several
    subsets, its new pairs, which connect them, are excluded; if known pairs become
    connected directly, for example by a new pattern, only those in the most held-out
    subset are kept.

    Args:
        manifest: Pairs, with the manifest's columns.
        previous: Pairs with their subsets, as in the previous split, or None.
        settings: Shares of the subsets, their folders, and the groups.
        source: The source of the pairs; its subsets of groups take precedence over
            ``previous``.

    Returns:
        The split: the used pairs in the order of ``pair_id`` with the manifest's
        columns, ``group`` as used here, and ``split``. And the pairs that were excluded
        because they would connect subsets, or are outside the folders, as in the
        manifest, with the reason.

    Raises:
        InputError: There are too few groups for all subsets, the pattern, the table or
            the folders are invalid, or ``previous`` is not a split.
    """
    pairs = manifest.assign(folder=declare_subsets(manifest, settings.folders))
    pairs = pairs[pairs["verdict"] == USED]
    pairs = pairs.sort_values("pair_id", ignore_index=True)
    labels = find_labels(pairs, settings, source.root)
    named = pairs["group"].where(pairs["group"].isin(list(source.subsets)), "")
    # direct connections, without other pairs in between
    pairs["label"] = [label or name for label, name in zip(labels, named, strict=True)]
    if settings.groups:
        pairs["group"] = name_groups(pairs["group"], labels, [pairs["group"]])
    pairs, outside = _part_outside(pairs, settings.folders)
    pairs, leaks = _part_leaks(pairs, settings.folders)
    pairs["split"] = _known_subsets(pairs, _recall(previous), source.subsets, settings)
    split, tied = _part_tied(pairs)
    split["split"] = split["group"].map(_place_groups(split, settings))
    _refuse_empty_sides(split, manifest)
    left_out = pd.concat([outside, leaks, tied], ignore_index=True)
    for reason, count in (
        left_out["reason"].str.split(":").str[0].value_counts().items()
    ):
        logger.warning("Excluding %s: %s", wording.count(count, "pair"), reason)
    columns = list(COLUMNS)
    return split[[*columns, "split"]].reset_index(drop=True), left_out[columns]


def join_assignments(*tables: pd.DataFrame | None) -> pd.DataFrame:
    """The subset of every pair in several tables; later tables take precedence.

    With the result as the previous split, absent pairs keep their subset.

    Args:
        *tables: ``pair_id, split``, and any other columns; or None.

    Returns:
        ``pair_id, split`` in the order of ``pair_id``.

    Raises:
        InputError: A table lacks a column, or has unknown subsets.
    """
    known = [table for table in tables if table is not None and len(table)]
    for table in known:
        _check_subsets(table)
    parts = [table[["pair_id", "split"]].astype(str) for table in known]
    both = pd.concat([pd.DataFrame(columns=["pair_id", "split"]), *parts])
    last = both.drop_duplicates("pair_id", keep="last")
    return last.sort_values("pair_id", ignore_index=True)


def find_leaks(split: pd.DataFrame) -> list[str]:
    """Test pairs with an image that is also in another subset.

    `split_pairs` prevents leaks; a manually edited table may contain some.

    Args:
        split: ``split.csv``.

    Returns:
        The inputs' names, in the order of the table.
    """
    is_test = split["split"] == TEST
    seen = pd.Series(False, index=split.index)
    for column in ("input_sha256", "target_sha256"):
        known = split.loc[~is_test, column]
        seen |= split[column].isin(known[known != ""])
    return split.loc[is_test & seen, "input"].tolist()


def _open_subsets(folders: Folders) -> tuple[str, ...]:
    """The subsets that receive new groups; the others are defined by their folders."""
    named = named_subsets(folders)
    without = [subset for subset in SUBSETS if subset not in named]
    return tuple(s for s in SUBSETS if s in without or (s == TRAIN and without))


def _part_outside(
    pairs: pd.DataFrame, folders: Folders
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate the used pairs from those outside the given folders."""
    is_outside = (pairs["folder"] == "") & (folders.train is not None)
    reason = "outside the folders: not in any of splitting.folders"
    return pairs[~is_outside].copy(), _leave_out(pairs[is_outside], reason)


def _part_leaks(
    pairs: pd.DataFrame, folders: Folders
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate the pairs of each group in its most held-out folder from the others."""
    if not named_subsets(folders):
        return pairs, pairs.head(0)
    fixed = [subset for subset in SUBSETS if subset not in _open_subsets(folders)]
    rank = pairs["folder"].map(
        lambda subset: fixed.index(subset) if subset in fixed else -1
    )
    highest = rank.groupby(pairs["group"]).transform("max")
    leaks = pairs[rank < highest]
    subsets = highest[rank < highest].map(lambda number: fixed[number])
    reasons = [f"leak: the same picture is also in {subset}" for subset in subsets]
    return pairs[rank == highest].copy(), _leave_out(leaks, reasons)


def _leave_out(pairs: pd.DataFrame, reason: str | list[str]) -> pd.DataFrame:
    return pairs.assign(verdict=LEFT_OUT, reason=reason)


def _recall(previous: pd.DataFrame | None) -> dict[str, str]:
    """The subset of every pair of the previous split."""
    if previous is None or previous.empty:
        return {}
    _check_subsets(previous)
    return dict(zip(previous["pair_id"].astype(str), previous["split"], strict=True))


def _check_subsets(table: pd.DataFrame) -> None:
    has_columns = {"pair_id", "split"} <= set(table)
    if not has_columns or not table["split"].isin(SUBSETS).all():
        raise InputError(
            "split.csv is damaged: it needs the columns pair_id and split with "
            f"{', '.join(SUBSETS)}; restore it, or remove its folder to create a new split"
        )


def _known_subsets(
    pairs: pd.DataFrame,
    recalled: Mapping[str, str],
    subsets: Mapping[str, str],
    settings: SplittingSettings,
) -> list[str]:
    """The subset of each pair that already has one; "" for others."""
    free = _open_subsets(settings.folders)
    rows = zip(pairs["pair_id"], pairs["group"], pairs["folder"], strict=True)
    return [
        folder
        if folder and folder not in free
        else _only(free, subsets.get(group) or recalled.get(pair_id, ""))
        for pair_id, group, folder in rows
    ]


def _only(allowed: Sequence[str], subset: str) -> str:
    return subset if subset in allowed else ""


def _part_tied(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate the pairs that can be split from those that connect subsets."""
    is_known = pairs["split"] != ""
    is_torn = pairs["group"].isin(_torn_groups(pairs[is_known]))
    pairs = pairs.copy()
    known = pairs[is_torn & is_known]
    # without the new pairs, known pairs are connected only by what they share directly
    pairs.loc[known.index, "group"] = group = _name_directly(pairs[is_torn], known)
    rank = known["split"].map(SUBSETS.index).astype(int)
    is_outranked = rank < rank.groupby(group).transform("max")
    is_tied = is_torn & ~is_known
    is_tied[known.index[is_outranked]] = True
    tied = _leave_out(pairs[is_tied], "its group is in two subsets")
    return pairs[~is_tied].copy(), tied


def _name_directly(torn: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """The groups of known pairs by direct connections, without new pairs."""
    with_new = set(torn.loc[torn["split"] == "", "group"])
    whole = known["group"].where(~known["group"].isin(with_new), "")
    return name_groups(
        known["pair_id"],
        known["label"],
        [whole, known["input_sha256"], known["target_sha256"]],
    )


def _torn_groups(known: pd.DataFrame) -> list[str]:
    subsets = known.groupby("group")["split"].nunique()
    return list(subsets.index[subsets > 1])


def _place_groups(pairs: pd.DataFrame, settings: SplittingSettings) -> dict[str, str]:
    """The subset of every group; pairs are in the order of their ids."""
    sizes = Counter(pairs["group"])
    rows = zip(pairs["group"], pairs["split"], strict=True)
    subsets = {group: subset for group, subset in rows if subset}
    free = _open_subsets(settings.folders)
    lacking = _shares(pairs["split"].isin(["", *free]).sum(), settings.fractions, free)
    smallest_share = min(lacking.values(), default=0)
    for group, subset in subsets.items():
        if subset in lacking:
            lacking[subset] -= sizes[group]
    new = [group for group in sizes if group not in subsets]
    # groups larger than the smallest share come first, while other subsets have room
    new.sort(key=lambda group: sizes[group] <= smallest_share)
    empty = set(free) - set(subsets.values())
    for remaining, group in zip(range(len(new), 0, -1), new, strict=True):
        choice = empty if remaining <= len(empty) else set(free)
        subset = max(sorted(choice), key=lacking.__getitem__)
        subsets[group] = subset
        lacking[subset] -= sizes[group]
        empty.discard(subset)
    return subsets


def _shares(
    count: int, fractions: Fractions, subsets: Sequence[str]
) -> dict[str, float]:
    """Number of pairs that each of the subsets should have."""
    parts = {subset: getattr(fractions, subset) for subset in subsets}
    return {
        subset: count * part / sum(parts.values()) for subset, part in parts.items()
    }


def _refuse_empty_sides(split: pd.DataFrame, manifest: pd.DataFrame) -> None:
    missing = [subset for subset in SUBSETS if subset not in set(split["split"])]
    if not missing:
        return
    count = split["group"].nunique()
    left_out = manifest.loc[manifest["verdict"] == LEFT_OUT, "reason"]
    example = f", such as for: {left_out.iloc[0]}" if len(left_out) else ""
    remedy = (
        "add images or choose other groups"
        if count < len(SUBSETS)
        else "the previous split assigned all of them; remove the folder of split.csv "
        "to create a new split"
    )
    raise InputError(
        f"splitting: no pairs for {' and '.join(missing)}: "
        f"{wording.count(len(split), 'usable pair')} in {wording.count(count, 'group')}, "
        f"and each of {', '.join(SUBSETS)} needs at least one group; excluded: "
        f"{wording.count(len(left_out), 'pair')}{example}; {remedy}"
    )
