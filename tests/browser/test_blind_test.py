"""The blind test in a browser, from the first question to reading the votes."""

import json
import re
from collections import Counter

import pytest

from image_translation.reporting.blind_test import (
    SIDES,
    plan_questions,
    read_votes,
    render_blind_test,
)
from image_translation.reporting.gallery import png_data_uri
from image_translation.statistics.preferences import preference_rates
from tests.reporting.examples import TRAINED, make_content

pytestmark = pytest.mark.browser

N = 120
FAVOURITE = "unet"


@pytest.fixture(scope="module")
def images():
    items = make_content(gallery=24).gallery
    return {
        (item.pair_id, which): image
        for item in items
        for which, image in {
            **item.predictions,
            "input": item.input,
            "target": item.target,
        }.items()
    }


@pytest.fixture(scope="module")
def made(images, tmp_path_factory):
    """The page's path and its key."""
    groups = {pair: pair for pair, _ in images}
    html, key = render_blind_test(
        "colorization",
        plan_questions(groups, dict.fromkeys(TRAINED, 1), N),
        lambda pair, which, replicate: images[pair, which],
    )
    path = tmp_path_factory.mktemp("blind") / "blind_test.html"
    path.write_text(html, "utf-8")
    return path, key


@pytest.fixture(scope="module")
def shown_by(images):
    """URI of an image → its model, which judges cannot know."""
    return {png_data_uri(image): which for (_, which), image in images.items()}


def begin(page, judge="Ada"):
    page.get_by_label("Your name or an alias").fill(judge)
    page.get_by_role("button", name="Begin").click()


def answered(page) -> int:
    return int(page.locator("#progress").get_attribute("value"))


def export(page, folder):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the votes").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_planted_preference_is_found(made, shown_by, open_page, tmp_path):
    path, key = made
    page = open_page(path)
    begin(page, "Ada L.")
    for _ in range(N):
        left, right = (
            shown_by[page.locator(f"#{side} img").get_attribute("src")]
            for side in ("left", "right")
        )
        if FAVOURITE in (left, right):
            page.keyboard.press("ArrowLeft" if left == FAVOURITE else "ArrowRight")
        else:
            page.keyboard.press(" ")
    votes = export(page, tmp_path)
    assert votes.name == "votes-Ada_L_.json"
    table = preference_rates(read_votes([votes], key))
    rivals = table[table["kind"] == "preference"].set_index(["model_a", "model_b"])
    for pair, row in rivals.iterrows():
        if FAVOURITE in pair:
            assert row["verdict"] == f"{FAVOURITE} is preferred by this judge"
            assert row["rate"] == (pair[0] == FAVOURITE)
        else:
            assert row["n"] == 0 and row["undecided"] > 0 and row["rate"] == 0.5
    fooled = table[table["kind"] == "reality"].set_index("model_a")
    assert fooled.loc[FAVOURITE, "rate"] == 1


def test_page_contains_no_model_name(made, open_page):
    path, _ = made
    page = open_page(path)
    begin(page)
    document = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.content())
    assert not [model for model in TRAINED if model in document]
    data = json.loads(page.locator("#questions").text_content())
    assert set(data["questions"][0]) == {"id", "kind", "pair", *SIDES}


def test_votes_are_kept_after_undo_pause_and_reload(made, open_page):
    path, _ = made
    page = open_page(path)
    begin(page)
    page.keyboard.press("ArrowLeft")
    page.locator("#right").click()
    assert answered(page) == 2
    asked = page.locator("#left img").get_attribute("src")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Backspace")
    assert answered(page) == 2
    page.reload()
    page.get_by_role("button", name="Continue as Ada (2 of 120 answered)").click()
    assert page.locator("#left img").get_attribute("src") == asked
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard and start again").click()
    assert page.get_by_label("Your name or an alias").is_visible()


def test_judges_get_different_questions(made, open_page, tmp_path):
    """With equal numbers per pair; the seed and the questions are in the file."""
    path, key = made
    files = []
    for judge in ("Ada", "Grace"):
        page = open_page(path)
        begin(page, judge)
        for _ in range(N):
            page.keyboard.press(" ")
        files.append(export(page, tmp_path))
    votes = read_votes(files, key)
    asked = [set(of_one["question"]) for _, of_one in votes.groupby("judge")]
    assert [*map(len, asked)] == [N, N] and len(asked[0] & asked[1]) < 0.8 * N
    counts = [
        Counter(frozenset(pair) for pair in of_one[["left", "right"]].to_numpy())
        for _, of_one in votes.groupby("judge")
    ]
    assert counts[0] == counts[1]
    assert counts[0][frozenset(("pix2pix", "autoencoder"))] == max(counts[0].values())
    seeds = [json.loads(file.read_text("utf-8"))["seed"] for file in files]
    assert seeds[0] != seeds[1]


def test_works_without_storage(made, browser):
    path, _ = made
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw Error('no') }})"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    begin(page)
    page.keyboard.press("ArrowLeft")
    assert answered(page) == 1
    page.keyboard.press("Escape")
    assert page.get_by_text("answer all questions in one session").is_visible()
    context.close()


def test_every_image_and_button_has_a_name(made, open_page):
    path, _ = made
    page = open_page(path, viewport={"width": 390, "height": 844})
    begin(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    names = page.locator("button").evaluate_all(
        "all => all.map(b => b.textContent + (b.querySelector('img')?.alt ?? ''))"
    )
    assert names and all(name.strip() for name in names if name != "")
