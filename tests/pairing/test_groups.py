import pandas as pd

from image_translation.pairing.groups import connect, connect_rows, name_groups


def test_rows_are_connected_through_others():
    # 0 and 1 share the first label, 1 and 3 the second, 2 has no partner
    assert connect(["a", "a", "b", "c"], ["x", "y", "z", "y"]) == [0, 0, 2, 0]


def test_empty_labels_connect_nothing():
    assert connect(["", "", ""]) == [0, 1, 2]


def test_labels_of_different_columns_do_not_connect():
    assert connect(["a", "b"], ["b", "a"]) == [0, 1]


def test_linked_rows_form_a_group_numbered_by_its_first_row():
    assert connect_rows({(3, 1), (4, 3)}, 5) == [0, 1, 2, 1, 1]


def test_without_links_each_row_is_a_group():
    assert connect_rows([], 3) == [0, 1, 2]


def test_no_rows_form_no_groups():
    assert connect([], []) == connect_rows([], 0) == []


def test_group_has_the_smallest_given_name_else_the_smallest_own():
    own = pd.Series(["p3", "p1", "p2", "p0"])
    given = ["cat", "", "ant", ""]
    names = name_groups(own, given, [["t", "", "t", ""], ["", "u", "", "u"]])
    assert names.tolist() == ["ant", "p0", "ant", "p0"]
