import pytest
from pydantic import ValidationError

from image_translation.errors import InputError
from image_translation.pairing.findings import (
    COLUMNS,
    KINDS,
    Observation,
    refuse_fatal,
    tabulate,
)
from tests.pairing.helpers import auditing


def test_table_counts_names_and_sorts_by_severity():
    seen = [
        [Observation("near_duplicates")],
        [Observation("odd_size", "3×4"), Observation("odd_size", "again")],
        [Observation("unreadable", "file")],
        [],
        [Observation("odd_size", "5×6")],
    ]
    table = tabulate(["a", "d", "c", "x", "b"], seen, [False, False, True, False, True])
    assert tuple(table.columns) == COLUMNS
    assert table["finding"].tolist() == ["unreadable", "odd_size", "near_duplicates"]
    assert table["count"].tolist() == [1, 2, 1]
    assert table["examples"].tolist() == ["c", "b | d", "a"]
    assert table["action"].tolist() == [
        "left out",
        "brought to a square; 1 left out, some for other reasons",
        "kept in one group",
    ]


def test_nothing_found_is_an_empty_table():
    table = tabulate(["a"], [[]], [False])
    assert table.empty
    assert tuple(table.columns) == COLUMNS


class TestFatal:
    table = tabulate(["a", "b"], [[Observation("swapped")], []], [False, False])

    def test_named_kind_stops_the_run(self):
        with pytest.raises(
            InputError, match=r"(?s)audit\.fatal.*swapped: 1, such as a"
        ):
            refuse_fatal(self.table, auditing(fatal="unreadable|swapped").fatal)

    @pytest.mark.parametrize("fatal", [None, "unreadable"])
    def test_others_do_not(self, fatal):
        refuse_fatal(self.table, auditing(fatal=fatal).fatal)

    def test_unknown_kind_is_named_with_those_there_are(self):
        with pytest.raises(ValidationError, match="swaped.*unreadable.*swapped"):
            auditing(fatal="swaped")


def test_every_kind_says_what_it_means():
    assert all(kind.explanation.endswith(".") for kind in KINDS.values())
