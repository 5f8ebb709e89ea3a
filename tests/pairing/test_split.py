import hashlib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_translation.common.errors import InputError
from image_translation.common.names import SUBSETS
from image_translation.pairing.manifest import COLUMNS
from image_translation.pairing.split import (
    find_leaks,
    join_assignments,
    split_pairs,
)
from tests.pairing.helpers import source_of, splitting


def sha(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def table(*pairs: tuple[object, object], groups: dict | None = None) -> pd.DataFrame:
    """A manifest of pairs of contents, grouped as the manifest groups them."""
    rows = [(sha((i, t))[:16], f"in/{i}.png", f"out/{t}.png") for i, t in pairs]
    manifest = pd.DataFrame(rows, columns=["pair_id", "input", "target"])
    manifest["input_sha256"] = [sha(("in", i)) for i, _ in pairs]
    manifest["target_sha256"] = [sha(("out", t)) for _, t in pairs]
    manifest[["width", "height", "verdict", "reason"]] = [8, 8, "used", ""]
    manifest["group"] = [find_group(pairs, pair, groups or {}) for pair in pairs]
    return manifest[list(COLUMNS)].sort_values("pair_id", ignore_index=True)


def find_group(pairs, pair, groups) -> str:
    if pair in groups:
        return groups[pair]
    tied = {pair}
    while True:  # plain search, apart from the code under test
        more = {p for p in pairs for q in tied if p[0] == q[0] or p[1] == q[1]}
        if more == tied:
            return min(sha(p)[:16] for p in tied)
        tied = more


def singles(count: int, start: int = 0) -> list[tuple[int, int]]:
    return [(number, number) for number in range(start, start + count)]


def subsets_of(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["pair_id"], split["split"], strict=True))


def run(manifest, previous=None, subsets=None, **values):
    source = source_of(subsets=subsets or {})
    return split_pairs(manifest, previous, splitting(**values), source)


def test_columns_are_those_of_the_manifest_plus_split():
    split, tied = run(table(*singles(10)))
    assert list(split.columns) == [*COLUMNS, "split"]
    assert list(tied.columns) == list(COLUMNS)
    assert split["pair_id"].is_monotonic_increasing
    assert tied.empty


def test_fractions_are_met_exactly_with_groups_of_single_pairs():
    split, _ = run(table(*singles(100)), train=0.8, validation=0.1)
    counts = split["split"].value_counts().to_dict()
    assert counts == {"train": 80, "validation": 10, "test": 10}


def test_pairs_left_out_of_the_manifest_are_not_split():
    manifest = table(*singles(10))
    manifest.loc[3, ["verdict", "reason"]] = ["left_out", "because"]
    split, tied = run(manifest)
    assert manifest["pair_id"][3] not in set(split["pair_id"])
    assert len(split) == 9
    assert tied.empty


def test_large_group_goes_where_it_fits():
    pairs = [(0, number) for number in range(50)] + singles(50, start=100)
    split, _ = run(table(*pairs), train=0.6, validation=0.2)
    assert set(split.loc[split["input"] == "in/0.png", "split"]) == {"train"}
    assert split["split"].value_counts().to_dict() == {
        "train": 60,
        "validation": 20,
        "test": 20,
    }


@pytest.mark.parametrize("sizes", [(1, 1, 1), (50, 1, 1), (1, 30, 30)])
def test_three_groups_are_enough(sizes):
    pairs = [(g, f"{g}-{n}") for g, size in enumerate(sizes) for n in range(size)]
    split, _ = run(table(*pairs), train=0.8, validation=0.1)
    assert set(split["split"]) == set(SUBSETS)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_groups_than_subsets_are_an_error(count):
    with pytest.raises(
        InputError, match=rf"{count} usable pairs? in {count} groups?, .*add"
    ):
        run(table(*singles(count)))


def test_error_gives_number_and_reason_of_excluded_pairs():
    manifest = table(*singles(4))
    manifest.loc[:2, "verdict"] = "left_out"
    manifest.loc[:2, "reason"] = "no partner: no target named 'x'"
    with pytest.raises(InputError, match="excluded: 3 pairs, such as for: no part"):
        run(manifest)


def test_known_pairs_keep_their_subset_when_fractions_change():
    manifest = table(*singles(30))
    before, _ = run(manifest, train=0.8, validation=0.1)
    after, _ = run(manifest, before, train=0.4, validation=0.3)
    assert subsets_of(after) == subsets_of(before)


def test_previous_split_with_an_empty_subset_is_an_error():
    manifest = table(*singles(30))
    before, _ = run(manifest)
    kept = set(before.loc[before["split"] != "test", "pair_id"])
    with pytest.raises(InputError, match=r"no pairs for test.*remove the folder"):
        run(manifest[manifest["pair_id"].isin(kept)], before)


@pytest.mark.parametrize(
    "damage", [{"split": "training"}, {"split": None}, {"split": ""}]
)
def test_damaged_previous_split_is_an_error(damage):
    manifest = table(*singles(10))
    before, _ = run(manifest)
    with pytest.raises(InputError, match=r"split\.csv is damaged"):
        run(manifest, before.assign(**damage))
    with pytest.raises(InputError, match=r"split\.csv is damaged"):
        run(manifest, before.drop(columns="split"))


def test_pairs_that_are_absent_for_a_while_keep_their_subset():
    manifest = table(*singles(40))
    first, _ = run(manifest)
    known = join_assignments(None, first)
    half, _ = run(manifest.iloc[::2], known, train=0.5, validation=0.25)
    known = join_assignments(known, half)
    assert len(known) == 40 and list(known) == ["pair_id", "split"]
    again, _ = run(manifest, known, train=0.5, validation=0.25)
    assert subsets_of(again) == subsets_of(first)


def test_newer_assignments_take_precedence():
    older = pd.DataFrame({"pair_id": ["a", "b"], "split": ["train", "test"]})
    newer = pd.DataFrame({"pair_id": ["c", "b"], "split": ["test", "validation"]})
    joined = join_assignments(older, newer)
    assert subsets_of(joined) == {"a": "train", "b": "validation", "c": "test"}
    assert joined["pair_id"].tolist() == ["a", "b", "c"]
    assert join_assignments(None, None).empty
    with pytest.raises(InputError, match="damaged"):
        join_assignments(older.drop(columns="split"), newer)


def test_empty_previous_split_is_ignored():
    manifest = table(*singles(10))
    before, _ = run(manifest)
    assert subsets_of(run(manifest, before.head(0))[0]) == subsets_of(before)


def test_new_pair_joins_its_group():
    before, _ = run(table(*singles(10)))
    more = table(*singles(10), *((number, f"new {number}") for number in range(10)))
    after, tied = run(more, before)
    assert tied.empty
    by_input = after.groupby("input")["split"].nunique()
    assert (by_input == 1).all()
    assert subsets_of(before).items() <= subsets_of(after).items()


def test_pair_that_connects_two_subsets_is_excluded():
    before, _ = run(table(*singles(10)))
    of_subset = {subset: group for subset, group in before.groupby("split")["input"]}
    one = int(of_subset["train"].iloc[0][3:-4])
    other = int(of_subset["test"].iloc[0][3:-4])
    more = table(*singles(10), (one, other), *singles(2, start=20))
    after, tied = run(more, before)
    assert tied["pair_id"].tolist() == [sha((one, other))[:16]]
    assert tied["verdict"].tolist() == ["left_out"]
    assert "two subsets" in tied["reason"][0]
    assert subsets_of(before).items() <= subsets_of(after).items()
    assert_no_group_on_two_sides(after)
    again, tied_again = run(more, after)
    assert subsets_of(again) == subsets_of(after)
    assert tied_again["pair_id"].tolist() == tied["pair_id"].tolist()


class TestSubsetsOfTheSource:
    pairs = [(g, f"{g}{n}") for g in "abcd" for n in range(3)]
    groups = {pair: f"photo {pair[0]}" for pair in pairs}
    subsets = {
        "photo a": "train",
        "photo b": "train",
        "photo c": "validation",
        "photo d": "test",
    }

    def test_source_defines_the_subset(self):
        split, _ = run(table(*self.pairs, groups=self.groups), subsets=self.subsets)
        assert dict(zip(split["group"], split["split"], strict=True)) == self.subsets

    def test_source_takes_precedence_over_the_previous_split(self):
        manifest = table(*self.pairs, groups=self.groups)
        before, _ = run(manifest)
        after, _ = run(manifest, before, subsets=self.subsets)
        assert dict(zip(after["group"], after["split"], strict=True)) == self.subsets

    def test_other_groups_are_assigned(self):
        manifest = table(*self.pairs, *singles(8), groups=self.groups)
        split, _ = run(manifest, subsets=self.subsets)
        assert len(split) == len(manifest)
        assert_no_group_on_two_sides(split)


class TestPattern:
    pairs = [
        (f"{person}_{shot}", f"{person}_{shot}")
        for person in "abcdef"
        for shot in "xyz"
    ]

    def test_pattern_groups_by_name(self):
        split, _ = run(table(*self.pairs), groups=r"in/(\w)_")
        assert set(split["group"]) == set("abcdef")
        assert_no_group_on_two_sides(split)

    def test_pattern_is_combined_with_shared_files(self):
        manifest = table(*self.pairs, ("a_x", "b_x"))
        split, _ = run(manifest, groups=r"in/(\w)_")
        # the new pair shares its input with a and its target with b
        assert set(split["group"]) == {"a", "c", "d", "e", "f"}

    def test_pairs_without_a_match_are_groups_of_their_own(self, caplog):
        split, _ = run(table(*self.pairs, *singles(2)), groups=r"in/(\w)_")
        assert split["group"].nunique() == 8
        assert "does not match 2 pairs" in caplog.text

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("(", "not a valid pattern"),
            ("in/", "one group in parentheses"),
            ("(i)(n)", "one group in parentheses"),
            ("(zzz)", "matches none of the 18"),
        ],
    )
    def test_invalid_pattern_is_an_error(self, pattern, message):
        with pytest.raises(InputError, match=rf"splitting\.groups.*{message}"):
            run(table(*self.pairs), groups=pattern)

    def test_new_pattern_on_an_old_split_keeps_the_most_held_out_subset(self):
        manifest = table(*self.pairs)
        before, _ = run(manifest)
        after, tied = run(manifest, before, groups=r"in/(\w)_")
        assert_no_group_on_two_sides(after)
        assert len(after) + len(tied) == len(manifest)
        assert subsets_of(after).items() <= subsets_of(before).items()
        assert set(before.loc[before["split"] == "test", "pair_id"]) <= set(
            after["pair_id"]
        )


class TestFolders:
    """Pairs in a folder by the first letter of their content."""

    train = [(f"a/{n}", n) for n in range(20)]
    test = [(f"t/{n}", 100 + n) for n in range(5)]
    validation = [(f"v/{n}", 200 + n) for n in range(4)]
    others = [(f"o/{n}", 300 + n) for n in range(3)]

    def test_folders_define_the_split(self):
        split, left_out = run(
            table(*self.train, *self.test, *self.validation),
            train_folder="a",
            validation_folder="v",
            test_folder="t",
        )
        assert left_out.empty
        assert counts(split) == {"train": 20, "validation": 4, "test": 5}
        assert set(split.loc[split["split"] == "test", "input"]) == {
            f"in/t/{n}.png" for n in range(5)
        }

    def test_validation_is_taken_from_train_and_stored(self):
        manifest = table(*self.train, *self.test)
        names = {"train_folder": "a", "test_folder": "t"}
        split, _ = run(manifest, train=0.6, validation=0.2, **names)
        assert counts(split) == {"train": 15, "validation": 5, "test": 5}
        more = table(*self.train, *self.test, *[(f"a/{n}", n) for n in range(20, 25)])
        after, _ = run(more, split, train=0.6, validation=0.2, **names)
        assert subsets_of(split).items() <= subsets_of(after).items()

    def test_train_without_a_folder_gets_the_other_pairs(self):
        manifest = table(*self.train, *self.test, *self.others)
        split, left_out = run(manifest, test_folder="t")
        assert left_out.empty
        assert counts(split)["test"] == 5
        assert counts(split)["train"] + counts(split)["validation"] == 23

    def test_pairs_outside_the_folders_are_excluded(self):
        manifest = table(*self.train, *self.test, *self.others)
        split, left_out = run(manifest, train_folder="a", test_folder="t")
        assert sorted(left_out["input"]) == [f"in/o/{n}.png" for n in range(3)]
        assert set(left_out["reason"].str.split(":").str[0]) == {"outside the folders"}
        assert len(split) + len(left_out) == len(manifest)

    @pytest.mark.parametrize("with_train", [True, False])
    def test_leaks_are_removed_from_train(self, with_train):
        leaks = [("a/leak", 100), ("a/leak 2", 101)]  # targets of the test folder
        names = {"test_folder": "t"} | ({"train_folder": "a"} if with_train else {})
        split, left_out = run(table(*self.train, *leaks, *self.test), **names)
        assert sorted(left_out["input"]) == ["in/a/leak 2.png", "in/a/leak.png"]
        assert set(left_out["reason"]) == {"leak: the same picture is also in test"}
        assert_no_group_on_two_sides(split)
        assert counts(split)["test"] == 5

    def test_folders_take_precedence_over_the_previous_split(self):
        manifest = table(*self.train, *self.test)
        before, _ = run(manifest)
        after, _ = run(manifest, before, train_folder="a", test_folder="t")
        assert set(after.loc[after["split"] == "test", "input"]) == {
            f"in/t/{n}.png" for n in range(5)
        }

    def test_one_folder_for_all_subsets_is_split(self):
        split, left_out = run(table(*self.train, *self.others), train_folder="a")
        assert len(left_out) == 3
        assert counts(split) == {"train": 12, "validation": 4, "test": 4}


def counts(split: pd.DataFrame) -> dict[str, int]:
    return split["split"].value_counts().to_dict()


def test_known_pairs_that_become_duplicates_stay_held_out():
    manifest = table(*singles(30))
    before, _ = run(manifest)
    one = {
        subset: group["pair_id"].iloc[0] for subset, group in before.groupby("split")
    }
    manifest.loc[manifest["pair_id"].isin(one.values()), "group"] = "a near-duplicate"
    after, tied = run(manifest, before)
    assert set(tied["pair_id"]) == {one["train"], one["validation"]}
    assert subsets_of(after)[one["test"]] == "test"


def assert_no_group_on_two_sides(split: pd.DataFrame) -> None:
    for column in ("group", "input_sha256", "target_sha256"):
        assert (split.groupby(column)["split"].nunique() == 1).all()


contents = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)),
    unique=True,
    min_size=8,
    max_size=25,
)


def try_split(pairs, previous=None):
    try:
        return run(table(*pairs), previous)
    except InputError:  # too few groups
        return None


@given(contents)
@settings(max_examples=40, deadline=None)
def test_every_group_is_in_one_subset(pairs):
    if result := try_split(pairs):
        split, tied = result
        assert_no_group_on_two_sides(split)
        assert tied.empty
        assert len(split) == len(pairs)


@given(contents, contents)
@settings(max_examples=40, deadline=None)
def test_adding_data_moves_no_pair(old, new):
    if before := try_split(old):
        both = list(dict.fromkeys(old + new))
        after, tied = run(table(*both), before[0])
        assert subsets_of(before[0]).items() <= subsets_of(after).items()
        assert_no_group_on_two_sides(after)
        assert len(after) + len(tied) == len(both)


@given(contents, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_split_is_independent_of_order_and_names_of_files(pairs, random):
    if result := try_split(pairs):
        shuffled = table(*pairs).sample(frac=1, random_state=random.randrange(2**31))
        shuffled["input"] = [f"other/{random.random()}.png" for _ in pairs]
        split, _ = run(shuffled)
        assert subsets_of(split) == subsets_of(result[0])


@given(st.lists(st.integers(1, 12), min_size=8, max_size=40), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_fractions_are_met_as_far_as_groups_allow(sizes, salt):
    pairs = [
        ((salt, g), (salt, g, n)) for g, size in enumerate(sizes) for n in range(size)
    ]
    split, _ = run(table(*pairs), train=0.6, validation=0.2)
    counts = split["split"].value_counts()
    for subset, fraction in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert abs(counts[subset] - fraction * len(pairs)) <= 2 * max(sizes)


def test_split_has_no_leaks():
    split, _ = run(table(*singles(20), (1, 21), (22, 2)))
    assert find_leaks(split) == []


@pytest.mark.parametrize("column", ["input_sha256", "target_sha256"])
def test_planted_leak_is_found(column):
    split, _ = run(table(*singles(20)))
    test = split.index[split["split"] == "test"][0]
    train = split.index[split["split"] == "train"][0]
    split.loc[test, column] = split.loc[train, column]
    assert find_leaks(split) == [split.loc[test, "input"]]
