import pytest

from image_translation.common import wording


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_list(names, text):
    assert wording.join_words(names) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 images"), (1, "1 image"), (1200, "1,200 images")]
)
def test_number_has_its_noun(number, text):
    assert wording.count(number, "image") == text


def test_irregular_plural_is_given():
    assert wording.count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(1, 1, "1 image"), (3, 3, "3 images"), (2, 3, "2 to 3 images")],
)
def test_range_of_equal_ends_is_one_number(low, high, text):
    assert wording.count_between(low, high, "image") == text
