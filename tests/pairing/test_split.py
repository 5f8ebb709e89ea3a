import hashlib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_translation.errors import InputError
from image_translation.pairing.manifest import COLUMNS
from image_translation.pairing.split import SIDES, find_leaks, split_pairs
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


def sides_of(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["pair_id"], split["split"], strict=True))


def run(manifest, previous=None, sides=None, **values):
    source = source_of(sides=sides or {})
    return split_pairs(manifest, previous, splitting(**values), source)


def test_columns_are_those_of_the_manifest_and_split():
    split, tied = run(table(*singles(10)))
    assert list(split.columns) == [*COLUMNS, "split"]
    assert list(tied.columns) == list(COLUMNS)
    assert split["pair_id"].is_monotonic_increasing
    assert tied.empty


def test_fractions_are_met_exactly_where_groups_are_single_pairs():
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
    assert set(split["split"]) == set(SIDES)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_groups_than_sides_are_an_error(count):
    with pytest.raises(
        InputError, match=rf"{count} usable pairs in {count} groups.*add"
    ):
        run(table(*singles(count)))


def test_error_says_how_many_were_left_out_and_why():
    manifest = table(*singles(4))
    manifest.loc[:2, "verdict"] = "left_out"
    manifest.loc[:2, "reason"] = "no partner: there is no target named 'x'"
    with pytest.raises(InputError, match="3 pairs were left out, such as for: no part"):
        run(manifest)


def test_known_pairs_keep_their_side_when_fractions_change():
    manifest = table(*singles(30))
    before, _ = run(manifest, train=0.8, validation=0.1)
    after, _ = run(manifest, before, train=0.4, validation=0.3)
    assert sides_of(after) == sides_of(before)


def test_memory_that_leaves_a_side_empty_is_an_error():
    manifest = table(*singles(30))
    before, _ = run(manifest)
    kept = set(before.loc[before["split"] != "test", "pair_id"])
    with pytest.raises(InputError, match=r"nothing for test.*delete split\.csv"):
        run(manifest[manifest["pair_id"].isin(kept)], before)


@pytest.mark.parametrize(
    "damage", [{"split": "training"}, {"split": None}, {"split": ""}]
)
def test_damaged_memory_is_an_error(damage):
    manifest = table(*singles(10))
    before, _ = run(manifest)
    with pytest.raises(InputError, match=r"split\.csv is damaged"):
        run(manifest, before.assign(**damage))
    with pytest.raises(InputError, match=r"split\.csv is damaged"):
        run(manifest, before.drop(columns="split"))


def test_empty_memory_is_no_memory():
    manifest = table(*singles(10))
    before, _ = run(manifest)
    assert sides_of(run(manifest, before.head(0))[0]) == sides_of(before)


def test_new_pair_joins_its_group():
    before, _ = run(table(*singles(10)))
    more = table(*singles(10), *((number, f"new {number}") for number in range(10)))
    after, tied = run(more, before)
    assert tied.empty
    by_input = after.groupby("input")["split"].nunique()
    assert (by_input == 1).all()
    assert sides_of(before).items() <= sides_of(after).items()


def test_pair_that_ties_two_sides_is_left_out_and_the_old_ones_stay():
    before, _ = run(table(*singles(10)))
    of_side = {side: group for side, group in before.groupby("split")["input"]}
    one = int(of_side["train"].iloc[0][3:-4])
    other = int(of_side["test"].iloc[0][3:-4])
    more = table(*singles(10), (one, other), *singles(2, start=20))
    after, tied = run(more, before)
    assert tied["pair_id"].tolist() == [sha((one, other))[:16]]
    assert tied["verdict"].tolist() == ["left_out"]
    assert "two sides" in tied["reason"][0]
    assert sides_of(before).items() <= sides_of(after).items()
    assert_no_group_on_two_sides(after)
    again, tied_again = run(more, after)
    assert sides_of(again) == sides_of(after)
    assert tied_again["pair_id"].tolist() == tied["pair_id"].tolist()


class TestNamedSides:
    pairs = [(g, f"{g}{n}") for g in "abcd" for n in range(3)]
    groups = {pair: f"photo {pair[0]}" for pair in pairs}
    sides = {
        "photo a": "train",
        "photo b": "train",
        "photo c": "validation",
        "photo d": "test",
    }

    def test_source_decides(self):
        split, _ = run(table(*self.pairs, groups=self.groups), sides=self.sides)
        assert dict(zip(split["group"], split["split"], strict=True)) == self.sides

    def test_source_outranks_the_memory(self):
        manifest = table(*self.pairs, groups=self.groups)
        before, _ = run(manifest)
        after, _ = run(manifest, before, sides=self.sides)
        assert dict(zip(after["group"], after["split"], strict=True)) == self.sides

    def test_groups_that_the_source_does_not_name_are_placed(self):
        manifest = table(*self.pairs, *singles(8), groups=self.groups)
        split, _ = run(manifest, sides=self.sides)
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

    def test_pattern_is_joined_with_shared_files(self):
        manifest = table(*self.pairs, ("a_x", "b_x"))
        split, _ = run(manifest, groups=r"in/(\w)_")
        # the new pair shares its input with a and its target with b
        assert set(split["group"]) == {"a", "c", "d", "e", "f"}

    def test_pairs_that_do_not_fit_stand_alone(self, caplog):
        split, _ = run(table(*self.pairs, *singles(2)), groups=r"in/(\w)_")
        assert split["group"].nunique() == 8
        assert "2 pairs do not fit" in caplog.text

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("(", "does not work"),
            ("in/", "one group in parentheses"),
            ("(i)(n)", "one group in parentheses"),
            ("(zzz)", "fits none of the 18"),
        ],
    )
    def test_pattern_that_does_not_work_is_an_error(self, pattern, message):
        with pytest.raises(InputError, match=rf"splitting\.groups.*{message}"):
            run(table(*self.pairs), groups=pattern)

    def test_new_pattern_over_an_old_split_keeps_the_most_held_out_side(self):
        manifest = table(*self.pairs)
        before, _ = run(manifest)
        after, tied = run(manifest, before, groups=r"in/(\w)_")
        assert_no_group_on_two_sides(after)
        assert len(after) + len(tied) == len(manifest)
        assert sides_of(after).items() <= sides_of(before).items()
        assert set(before.loc[before["split"] == "test", "pair_id"]) <= set(
            after["pair_id"]
        )


class TestFolders:
    """Pairs whose input stands in a folder by the letter that their content starts with."""

    train = [(f"a/{n}", n) for n in range(20)]
    test = [(f"t/{n}", 100 + n) for n in range(5)]
    validation = [(f"v/{n}", 200 + n) for n in range(4)]
    others = [(f"o/{n}", 300 + n) for n in range(3)]

    def test_folders_are_followed(self):
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

    def test_validation_is_cut_from_train_and_remembered(self):
        manifest = table(*self.train, *self.test)
        names = {"train_folder": "a", "test_folder": "t"}
        split, _ = run(manifest, train=0.6, validation=0.2, **names)
        assert counts(split) == {"train": 15, "validation": 5, "test": 5}
        more = table(*self.train, *self.test, *[(f"a/{n}", n) for n in range(20, 25)])
        after, _ = run(more, split, train=0.6, validation=0.2, **names)
        assert sides_of(split).items() <= sides_of(after).items()

    def test_train_is_what_is_left_where_it_has_no_folder(self):
        manifest = table(*self.train, *self.test, *self.others)
        split, left_out = run(manifest, test_folder="t")
        assert left_out.empty
        assert counts(split)["test"] == 5
        assert counts(split)["train"] + counts(split)["validation"] == 23

    def test_pairs_outside_the_folders_are_left_out(self):
        manifest = table(*self.train, *self.test, *self.others)
        split, left_out = run(manifest, train_folder="a", test_folder="t")
        assert sorted(left_out["input"]) == [f"in/o/{n}.png" for n in range(3)]
        assert set(left_out["reason"].str.split(":").str[0]) == {"outside the folders"}
        assert len(split) + len(left_out) == len(manifest)

    @pytest.mark.parametrize("with_train", [True, False])
    def test_leaks_leave_the_training_side(self, with_train):
        leaks = [("a/leak", 100), ("a/leak 2", 101)]  # targets of the test folder
        names = {"test_folder": "t"} | ({"train_folder": "a"} if with_train else {})
        split, left_out = run(table(*self.train, *leaks, *self.test), **names)
        assert sorted(left_out["input"]) == ["in/a/leak 2.png", "in/a/leak.png"]
        assert set(left_out["reason"]) == {"leak: the same picture also stands in test"}
        assert_no_group_on_two_sides(split)
        assert counts(split)["test"] == 5

    def test_folders_outrank_the_memory(self):
        manifest = table(*self.train, *self.test)
        before, _ = run(manifest)
        after, _ = run(manifest, before, train_folder="a", test_folder="t")
        assert set(after.loc[after["split"] == "test", "input"]) == {
            f"in/t/{n}.png" for n in range(5)
        }

    def test_one_folder_for_all_sides_splits_what_is_in_it(self):
        split, left_out = run(table(*self.train, *self.others), train_folder="a")
        assert len(left_out) == 3
        assert counts(split) == {"train": 12, "validation": 4, "test": 4}


def counts(split: pd.DataFrame) -> dict[str, int]:
    return split["split"].value_counts().to_dict()


def test_known_pairs_that_turn_out_to_be_duplicates_stay_on_the_held_out_side():
    manifest = table(*singles(30))
    before, _ = run(manifest)
    one = {side: group["pair_id"].iloc[0] for side, group in before.groupby("split")}
    manifest.loc[manifest["pair_id"].isin(one.values()), "group"] = "a near-duplicate"
    after, tied = run(manifest, before)
    assert set(tied["pair_id"]) == {one["train"], one["validation"]}
    assert sides_of(after)[one["test"]] == "test"


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
def test_no_group_ever_stands_on_two_sides(pairs):
    if result := try_split(pairs):
        split, tied = result
        assert_no_group_on_two_sides(split)
        assert tied.empty
        assert len(split) == len(pairs)


@given(contents, contents)
@settings(max_examples=40, deadline=None)
def test_adding_data_moves_nothing(old, new):
    if before := try_split(old):
        both = list(dict.fromkeys(old + new))
        after, tied = run(table(*both), before[0])
        assert sides_of(before[0]).items() <= sides_of(after).items()
        assert_no_group_on_two_sides(after)
        assert len(after) + len(tied) == len(both)


@given(contents, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_names_of_files_do_not_matter(pairs, random):
    if result := try_split(pairs):
        shuffled = table(*pairs).sample(frac=1, random_state=random.randrange(2**31))
        shuffled["input"] = [f"other/{random.random()}.png" for _ in pairs]
        split, _ = run(shuffled)
        assert sides_of(split) == sides_of(result[0])


@given(st.lists(st.integers(1, 12), min_size=8, max_size=40), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_fractions_are_respected_within_what_groups_allow(sizes, salt):
    pairs = [
        ((salt, g), (salt, g, n)) for g, size in enumerate(sizes) for n in range(size)
    ]
    split, _ = run(table(*pairs), train=0.6, validation=0.2)
    counts = split["split"].value_counts()
    for side, fraction in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert abs(counts[side] - fraction * len(pairs)) <= 2 * max(sizes)


def test_split_that_was_made_here_leaks_nothing():
    split, _ = run(table(*singles(20), (1, 21), (22, 2)))
    assert find_leaks(split) == []


@pytest.mark.parametrize("column", ["input_sha256", "target_sha256"])
def test_planted_leak_is_found(column):
    split, _ = run(table(*singles(20)))
    test = split.index[split["split"] == "test"][0]
    train = split.index[split["split"] == "train"][0]
    split.loc[test, column] = split.loc[train, column]
    assert find_leaks(split) == [split.loc[test, "input"]]
