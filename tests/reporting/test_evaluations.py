from dataclasses import replace

import pytest

from image_translation.reporting.evaluations import describe_evaluations, describe_seal
from image_translation.reporting.page import render_report
from image_translation.statistics.looks import Looks

SECOND = Looks(2, "2026-01-04", 0, False)


@pytest.mark.parametrize(
    ("looks", "included", "excluded"),
    [
        (Looks(1, "2026-01-04", 0, False), "scored once, on 2026-01-04", "optimistic"),
        (
            SECOND,
            "2 times (first on 2026-01-04); each evaluation makes the p-val",
            "sealed",
        ),
        (Looks(1, "2026-01-04", 0, True), "sealed until then", "optimistic"),
        (Looks(1, "2026-01-04", 3, False), "may share pairs with this one", "sealed"),
    ],
)
def test_evaluations_are_described(looks, included, excluded):
    text = describe_evaluations(looks)
    assert included in text
    assert excluded not in text


def test_text_without_evaluations_is_empty():
    assert (
        describe_evaluations(None) == describe_evaluations(Looks(0, "", 0, True)) == ""
    )
    assert describe_seal("test", None) == ""


def test_seal_is_described_with_earlier_evaluations():
    fresh = describe_seal("validation", Looks(0, "", 0, True))
    assert "optimistic" in fresh
    assert "for the first evaluation" in fresh
    assert "scored 2 times before it was sealed" in describe_seal("validation", SECOND)


def test_report_shows_the_evaluations(content):
    page = render_report(replace(content, looks=SECOND))
    answer = page[page.index('id="answer"') : page.index('id="scores"')]
    assert "These test pairs have been scored 2 times" in answer
    assert "scored once" not in page


def test_report_of_a_sealed_test_set_mentions_no_test_image(content):
    page = render_report(replace(content, subset="validation", looks=SECOND))
    assert "The test set is sealed" in page
    assert "test image" not in page.lower()
    assert "validation images" in page
    assert "These test pairs" not in page
