import pytest
from pydantic import ValidationError

from image_translation.common.errors import InputError
from image_translation.pairing.findings import (
    COLUMNS,
    KINDS,
    Observation,
    raise_on_fatal,
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
        "resized to a square; 1 left out, some for other reasons",
        "kept in one group",
    ]


def test_table_without_findings_is_empty():
    table = tabulate(["a"], [[]], [False])
    assert table.empty
    assert tuple(table.columns) == COLUMNS


class TestFatal:
    table = tabulate(["a", "b"], [[Observation("swapped")], []], [False, False])

    def test_given_kind_stops_the_run(self):
        with pytest.raises(
            InputError, match=r"(?s)audit\.fatal.*swapped: 1, such as a"
        ):
            raise_on_fatal(self.table, auditing(fatal="unreadable|swapped").fatal)

    @pytest.mark.parametrize("fatal", [None, "unreadable"])
    def test_other_kinds_do_not_stop_the_run(self, fatal):
        raise_on_fatal(self.table, auditing(fatal=fatal).fatal)

    def test_error_of_an_unknown_kind_lists_the_known_ones(self):
        with pytest.raises(ValidationError, match="swaped.*unreadable.*swapped"):
            auditing(fatal="swaped")


def test_every_kind_has_an_explanation():
    assert all(kind.explanation.endswith(".") for kind in KINDS.values())


def test_example_is_the_file_that_a_finding_is_about():
    seen = [[Observation("truncated", "input", "in/a.jpg")], [Observation("swapped")]]
    table = tabulate(["out/a.png", "out/b.png"], seen, [True, False])
    assert table["examples"].tolist() == ["in/a.jpg", "out/b.png"]
