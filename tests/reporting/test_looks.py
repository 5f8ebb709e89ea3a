from dataclasses import replace

import pytest

from image_translation.metrics.looks import Looks
from image_translation.reporting.looks import tell_looks, tell_seal
from image_translation.reporting.page import render_report

SECOND = Looks(2, "2026-01-04", 0, False)


@pytest.mark.parametrize(
    ("looks", "said", "unsaid"),
    [
        (Looks(1, "2026-01-04", 0, False), "scored once, on 2026-01-04", "optimistic"),
        (SECOND, "2 times (first on 2026-01-04); each look makes the p-val", "sealed"),
        (Looks(1, "2026-01-04", 0, True), "sealed until then", "optimistic"),
        (Looks(1, "2026-01-04", 3, False), "may share pairs with this one", "sealed"),
    ],
)
def test_looks_in_sentences(looks, said, unsaid):
    told = tell_looks(looks)
    assert said in told
    assert unsaid not in told


def test_nothing_is_said_where_nothing_was_counted():
    assert tell_looks(None) == tell_looks(Looks(0, "", 0, True)) == ""
    assert tell_seal("test", None) == ""


def test_seal_tells_what_stands_in_its_place_and_what_was_seen_before():
    fresh = tell_seal("validation", Looks(0, "", 0, True))
    assert "flatter" in fresh
    assert "that is the first look" in fresh
    assert "scored 2 times before it was sealed" in tell_seal("validation", SECOND)


def test_report_names_the_looks_beside_its_answer(content):
    page = render_report(replace(content, looks=SECOND))
    answer = page[page.index('id="answer"') : page.index('id="scores"')]
    assert "These test pairs have been scored 2 times" in answer
    assert "scored once" not in page


def test_report_of_a_sealed_test_set_calls_nothing_a_test_image(content):
    page = render_report(replace(content, subset="validation", looks=SECOND))
    assert "The test set is sealed" in page
    assert "test image" not in page.lower()
    assert "validation images" in page
    assert "These test pairs" not in page
