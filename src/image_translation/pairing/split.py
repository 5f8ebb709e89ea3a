"""The split: train, validation and test, decided by group and remembered."""

import logging
import re
from collections import Counter
from collections.abc import Mapping

import pandas as pd

from image_translation.errors import InputError
from image_translation.pairing.groups import name_groups
from image_translation.pairing.manifest import COLUMNS, LEFT_OUT, USED
from image_translation.pairing.settings import Fractions, SplittingSettings

logger = logging.getLogger(__name__)

SIDES = ("train", "validation", "test")
"""The sides of a split, the most held-out last."""


def split_pairs(
    manifest: pd.DataFrame,
    previous: pd.DataFrame | None,
    settings: SplittingSettings,
    sides: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign the used pairs to train, validation and test, each group to one side.

    Known pairs keep their side, also when the fractions change. New pairs join their
    group's side. New groups, in the order of a digest of their content, go to the side
    that lacks most pairs to its share. Where a group stands on several sides already,
    its new pairs, which tie them together, are left out; and where known pairs are tied
    directly, as by a new pattern, only those on the most held-out side stay.

    Args:
        manifest: Pairs, with the manifest's columns.
        previous: The split that was decided before, or None.
        settings: Shares of the sides, and the pattern of groups in file names.
        sides: Group to side, where the source names its held-out data; this outranks
            ``previous``.

    Returns:
        The split: the used pairs in the order of ``pair_id`` with the manifest's
        columns, ``group`` as it was used here, and ``split``. And the pairs that were
        left out because they tie sides together, as in the manifest, with the reason.

    Raises:
        InputError: There are too few groups to have one on each side, the pattern does
            not work, or ``previous`` is no split.
    """
    pairs = manifest[manifest["verdict"] == USED]
    pairs = pairs.sort_values("pair_id", ignore_index=True)
    labels = _match_pattern(pairs["input"], settings.groups)
    pairs["split"] = _known_sides(pairs, _recall(previous), sides)
    named = pairs["group"].where(pairs["group"].isin(list(sides)), "")
    # what ties a pair by itself, not through others
    pairs["label"] = [label or name for label, name in zip(labels, named, strict=True)]
    if settings.groups:
        pairs["group"] = name_groups(pairs["group"], labels, [pairs["group"]])
    split, tied = _part_tied(pairs)
    split["split"] = split["group"].map(_place_groups(split, settings.fractions))
    _refuse_empty_sides(split, manifest)
    if len(tied):
        logger.warning("%d pairs are left out: they tie two sides together", len(tied))
    columns = list(COLUMNS)
    return split[[*columns, "split"]].reset_index(drop=True), tied[columns]


def _match_pattern(paths: pd.Series, pattern: str | None) -> list[str]:
    """What the pattern finds in each path, the suffix left aside; "" for nothing."""
    if not pattern:
        return [""] * len(paths)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        message = f"splitting.groups: {pattern!r} does not work: {error}"
        raise InputError(message) from error
    if compiled.groups != 1:
        raise InputError(
            f"splitting.groups: {pattern!r} must have one group in parentheses, the "
            "part of the path that says what belongs together"
        )
    matches = [compiled.search(path.rpartition(".")[0]) for path in paths]
    labels = [(match.group(1) or "") if match else "" for match in matches]
    missed = labels.count("")
    if labels and missed == len(labels):
        raise InputError(
            f"splitting.groups: {pattern!r} fits none of the {missed} inputs, such as "
            f"{paths.iloc[0]!r}"
        )
    if missed:
        logger.warning("%d pairs do not fit the pattern of splitting.groups", missed)
    return labels


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
    pairs: pd.DataFrame, recalled: Mapping[str, str], sides: Mapping[str, str]
) -> list[str]:
    """The side that each pair has already; "" for none."""
    rows = zip(pairs["pair_id"], pairs["group"], strict=True)
    return [sides.get(group) or recalled.get(pair_id, "") for pair_id, group in rows]


def _part_tied(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the pairs that can be split from those that tie sides together."""
    is_known = pairs["split"] != ""
    is_torn = pairs["group"].isin(_torn_groups(pairs[is_known]))
    pairs = pairs.copy()
    known = pairs[is_torn & is_known]
    # without the new pairs, known ones are tied by what they share themselves only
    pairs.loc[known.index, "group"] = group = name_groups(
        known["pair_id"],
        known["label"],
        [known["input_sha256"], known["target_sha256"]],
    )
    rank = known["split"].map(SIDES.index).astype(int)
    is_outranked = rank < rank.groupby(group).transform("max")
    is_tied = is_torn & ~is_known
    is_tied[known.index[is_outranked]] = True
    tied = pairs[is_tied].assign(
        verdict=LEFT_OUT, reason="its group stands on two sides of the split"
    )
    return pairs[~is_tied].copy(), tied.reset_index(drop=True)


def _torn_groups(known: pd.DataFrame) -> list[str]:
    sides = known.groupby("group")["split"].nunique()
    return list(sides.index[sides > 1])


def _place_groups(pairs: pd.DataFrame, fractions: Fractions) -> dict[str, str]:
    """The side of every group; pairs come in the order of their ids."""
    sizes = Counter(pairs["group"])
    rows = zip(pairs["group"], pairs["split"], strict=True)
    sides = {group: side for group, side in rows if side}
    lacking = {side: getattr(fractions, side) * len(pairs) for side in SIDES}
    smallest_share = min(lacking.values())
    for group, side in sides.items():
        lacking[side] -= sizes[group]
    new = [group for group in sizes if group not in sides]
    # what is larger than the smallest share comes first, while there is room elsewhere
    new.sort(key=lambda group: sizes[group] <= smallest_share)
    empty = set(SIDES) - set(sides.values())
    for remaining, group in zip(range(len(new), 0, -1), new, strict=True):
        choice = empty if remaining <= len(empty) else set(SIDES)
        side = max(sorted(choice), key=lacking.__getitem__)
        sides[group] = side
        lacking[side] -= sizes[group]
        empty.discard(side)
    return sides


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
