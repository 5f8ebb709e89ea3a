"""The report in a browser, with 200 test images of 256 pixels and six models."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_translation.reporting.page import render_report
from image_translation.reporting.summary import render_summary
from image_translation.reporting.typical import typical_image
from image_translation.statistics.comparison import TaskResults
from tests.reporting.examples import make_content

pytestmark = pytest.mark.browser

FIRST_PAINT_MS = 2000
"""Limit for the first paint on two cores of a shared machine."""


@pytest.fixture(scope="module")
def content():
    return make_content(n_photographs=20, crops=10, gallery=200, size=256)


@pytest.fixture(scope="module")
def report(content, tmp_path_factory) -> Path:
    """The report with defaults: 48 images of 200."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    few = replace(content, gallery=content.gallery[:48])
    path.write_text(render_report(few), "utf-8")
    return path


@pytest.fixture(scope="module")
def whole(content, tmp_path_factory) -> Path:
    """The report with ``report.gallery`` 200."""
    path = tmp_path_factory.mktemp("whole") / "report.html"
    path.write_text(render_report(content), "utf-8")
    return path


@pytest.fixture(scope="module")
def small_content():
    return make_content(gallery=6)


@pytest.fixture(scope="module")
def small(small_content, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("small") / "report.html"
    path.write_text(render_report(small_content), "utf-8")
    return path


@pytest.fixture(scope="module")
def summary(small_content, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("summary") / "summary.html"
    results = TaskResults(
        small_content.comparison, small_content.verdicts, small_content.effects
    )
    tasks = ("colorization", "monet")
    image = typical_image(small_content)
    page = render_summary(
        dict.fromkeys(tasks, results), tasks, dict.fromkeys(tasks, image)
    )
    path.write_text(page, "utf-8")
    return path


def shown_order(page) -> list[int]:
    return page.eval_on_selector_all(
        "[data-sample]", "all => all.map(a => Number(a.dataset.sample))"
    )


def open_viewer(page, sample=1, key="pix2pix"):
    page.locator(f"[data-sample='{sample}'] [data-key='{key}'] .open").click()


def transform(page) -> str:
    return page.locator("#viewer-sheet").evaluate("e => e.style.transform")


def clip(page) -> float:
    page.wait_for_function("document.getElementById('viewer-right').style.clipPath")
    style = page.locator("#viewer-right").evaluate("e => e.style.clipPath")
    return float(re.search(r"([\d.]+)%", style)[1])


@pytest.mark.parametrize("name", ["report", "whole"])
def test_page_is_small_and_paints_fast(name, request, open_page, record_property):
    path = request.getfixturevalue(name)
    assert path.stat().st_size < 25 * 2**20
    page = open_page(path)
    page.wait_for_function("performance.getEntriesByType('paint').length > 0")
    paint = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    record_property("mebibytes", path.stat().st_size / 2**20)
    record_property("first_paint_ms", paint)
    assert paint < FIRST_PAINT_MS


SCREENS = [(1280, 800), (390, 844)]

PHONE_HEIGHT = 5600
"""Limit in CSS pixels; before sections were folded, it was 16,900."""


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_first_screen_shows_the_answer_and_pictures(
    small, small_content, open_page, width, height
):
    page = open_page(small, viewport={"width": width, "height": height})
    for shown in (".lead", ".use code", ".typical [data-key='target'] img"):
        assert bottom(page, shown) <= height, shown
    assert page.locator(".typical img").count() == 1 + len(small_content.scores)
    inside = [
        image
        for image in page.locator(".typical img").all()
        if image.bounding_box()["y"] + image.bounding_box()["height"] <= height
    ]
    assert len(inside) >= 6
    sides = {image.bounding_box()["width"] for image in inside}
    assert min(sides) >= (190 if width > 1000 else 110)
    if width > 1000:
        assert page.locator("#gallery").bounding_box()["y"] <= 1600


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_first_screen_of_the_summary_shows_the_answer_and_pictures(
    summary, open_page, width, height
):
    page = open_page(summary, viewport={"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for shown in (".lead", ".use code", ".typical [data-key='unet'] img"):
        assert bottom(page, shown) <= height, shown


def bottom(page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("name", ["report", "small"])
def test_page_is_short_on_a_phone(name, request, open_page):
    path = request.getfixturevalue(name)
    page = open_page(path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE_HEIGHT


def test_typical_image_can_be_enlarged(small, open_page):
    page = open_page(small)
    page.locator(".typical [data-key='unet'] .open").click()
    assert page.locator("#viewer-right-tag").inner_text() == "unet"
    page.keyboard.press("Escape")
    closest = "document.activeElement.closest('.typical figure')?.dataset.key"
    assert page.evaluate(closest) == "unet"


def copied(page, box, kind: str) -> str:
    """The text that a button of the table after ``box`` puts on the clipboard."""
    group = page.locator(f"{box} + .copy")
    group.get_by_role("button", name=kind).click()
    group.get_by_text(f"Copied as {kind}").wait_for()
    return page.evaluate("navigator.clipboard.readText()")


SCORES = ".scroll[aria-label='Scores of every model']"


@pytest.fixture
def granted(small, open_page):
    return open_page(small, permissions=["clipboard-read", "clipboard-write"])


def test_table_is_copied_as_csv(granted, small_content):
    head, *rows = csv.reader(io.StringIO(copied(granted, SCORES, "CSV")))
    assert head[0] == "Model" and head[2] == "PSNR (↑ higher is better)"
    assert {len(row) for row in rows} == {4}
    means = small_content.comparison.query("metric == 'psnr'").set_index("model")
    shown = {row[0].split(" (")[0]: row[2] for row in rows}
    assert set(shown) == set(means.index)
    for model, cell in shown.items():
        assert float(cell.split(" dB")[0]) == pytest.approx(
            means.loc[model, "mean"], abs=0.006
        )
    assert "best" not in shown["unet"]


def test_table_is_copied_as_markdown(granted):
    head, rule, *rows = copied(granted, SCORES, "Markdown").splitlines()
    assert rule == "| --- | ---: | ---: | ---: |"
    assert head.startswith("| Model | MSE (↓ lower is better) | PSNR")
    assert any(row.startswith(r"| autoencoder\_gan (autoencoder · ") for row in rows)
    unet = next(row for row in rows if row.startswith("| unet "))
    assert re.search(r"\| \*\*[\d.]+ dB \(.* to .*\)\*\* \|", unet)


def test_table_is_copied_as_latex(granted):
    text = copied(granted, SCORES, "LaTeX")
    assert text.startswith(
        "\\begin{tabular}{lrrr}\n\\hline\nModel & MSE ($\\downarrow$"
    )
    assert text.endswith("\\hline\n\\end{tabular}\n")
    assert "autoencoder\\_gan (autoencoder $\\cdot$ adversarial" in text
    assert "\\textbf{" in text and not re.search(r"(?<!\\)[_%#]", text)


def test_cells_are_escaped(small_content, open_page, tmp_path):
    """In the audit's table, whose file names are those of the user."""
    name = 'a "b", c|d & 50%_#$x^2~ <i>{y}\\'
    findings = small_content.data.findings.assign(examples=name)
    data = replace(small_content.data, findings=findings)
    path = tmp_path / "report.html"
    path.write_text(render_report(replace(small_content, data=data)), "utf-8")
    page = open_page(path, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#audit summary").click()
    box = ".scroll[aria-label='Findings']"
    _, first, *_ = csv.reader(io.StringIO(copied(page, box, "CSV")))
    assert first[3] == name
    assert r'a "b", c\|d & 50%\_\#$x^2\~ \<i\>{y}\\ |' in copied(page, box, "Markdown")
    assert (
        r"a ''b'', c$|$d \& 50\%\_\#\$x\textasciicircum{}2\textasciitilde{} "
        r"$<$i$>$\{y\}\textbackslash{} \\"
    ) in copied(page, box, "LaTeX")


def test_page_describes_selection_and_encoding(report, open_page):
    text = open_page(report).locator("#gallery").text_content()
    assert "48 of 200 test images: the typical one, the 6 best" in text
    assert "JPEG of quality 92" in text


@pytest.mark.parametrize(
    ("order", "metric", "down"),
    [("best", "ssim", True), ("worst", "ssim", False), ("best", "mse", False)],
)
def test_pictures_are_sorted_by_any_metric_of_a_model(
    report, content, open_page, order, metric, down
):
    page = open_page(report)
    page.select_option("#gallery-order", order)
    page.select_option("#gallery-metric", metric)
    page.select_option("#gallery-model", "unet")
    values = [content.gallery[i].scores["unet"][metric] for i in shown_order(page)]
    assert values == sorted(values, reverse=down)
    assert f"{order} first" in page.locator("#gallery-status").inner_text()
    first = float(page.locator(".sorted").first.inner_text().split()[-1])
    assert first == pytest.approx(values[0], rel=1e-3)


def test_most_disputed_come_first(small, small_content, open_page):
    page = open_page(small)
    page.select_option("#gallery-order", "disputed")
    trained = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
    spreads = [
        np.ptp([small_content.gallery[i].scores[m]["psnr"] for m in trained])
        for i in shown_order(page)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert page.locator("#gallery-model").is_disabled()


def test_random_order_is_complete_and_reversible(report, open_page):
    page = open_page(report)
    page.select_option("#gallery-order", "random")
    shuffled = shown_order(page)
    assert sorted(shuffled) == list(range(48)) != shuffled
    page.select_option("#gallery-order", "chosen")
    assert shown_order(page) == [*range(1, 48), 0]  # the typical one is at the top


def test_error_map_is_that_of_the_pixels(small, small_content, open_page):
    page = open_page(small)
    open_viewer(page)
    page.keyboard.press("e")
    page.wait_for_function(
        "document.getElementById('viewer-right-tag').textContent.includes('error')"
    )
    page.wait_for_timeout(200)
    red = page.locator("#viewer-right").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        ".filter((_, i) => i % 4 === 0)"
    )
    item = small_content.gallery[1]
    error = np.abs(item.predictions["pix2pix"].astype(int) - item.target)
    level = np.minimum(error.mean(axis=2), 64).ravel()
    assert np.corrcoef(level, red)[0, 1] > 0.95
    assert np.asarray(red)[level < 0.2].max(initial=0) <= 2


def test_every_prediction_has_an_error_map_that_can_be_hidden(small, open_page):
    page = open_page(small)
    maps = page.locator("[data-sample='1'] canvas.error")
    page.locator("[data-sample='1']").scroll_into_view_if_needed()
    assert maps.count() == 6
    maps.nth(5).wait_for(state="visible")
    page.locator("#gallery-errors").uncheck()
    assert not maps.first.is_visible()


def test_viewer_zooms_by_key_wheel_and_button(report, open_page):
    page = open_page(report)
    open_viewer(page)
    fitted = transform(page)
    page.keyboard.press("+")
    assert "scale(1.5)" in transform(page)
    page.keyboard.press("0")
    assert transform(page) == fitted
    page.locator("#viewer-stage").hover()
    page.mouse.wheel(0, -400)
    page.wait_for_function("document.getElementById('viewer-zoom').value !== '100 %'")
    page.locator("#viewer-fit").click()
    page.locator("#viewer-in").click()
    assert page.locator("#viewer-zoom").inner_text() == "150 %"
    rendering = page.locator("#viewer-left").evaluate(
        "e => getComputedStyle(e).imageRendering"
    )
    assert rendering == "pixelated"


def test_arrows_change_pictures_and_models_and_escape_returns(report, open_page):
    page = open_page(report)
    open_viewer(page, key="pix2pix")
    assert page.locator("#viewer-right-tag").inner_text() == "pix2pix"
    page.keyboard.press("ArrowDown")
    assert page.locator("#viewer-right-tag").inner_text() == "unet"
    page.keyboard.press("ArrowRight")
    assert page.locator("#viewer-place").inner_text() == "2 of 48"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    focused = page.evaluate("document.activeElement.className")
    assert focused == "open"


def test_slider_wipes_between_any_two(report, open_page):
    page = open_page(report)
    open_viewer(page)
    page.locator("#viewer-wipe").fill("50")
    assert clip(page) == pytest.approx(50, abs=1)
    page.keyboard.press("]")
    assert clip(page) > 50
    page.locator("#viewer-wipe").focus()
    page.keyboard.press("ArrowLeft")
    box = page.locator("#viewer-stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.up()
    assert clip(page) < 50
    page.select_option("#viewer-left-key", "unet")
    page.select_option("#viewer-right-key", "error:autoencoder")
    assert page.locator("#viewer-left-tag").inner_text() == "unet"
    assert page.locator("#viewer-right-tag").inner_text() == "error of autoencoder"


def test_grid_has_keyboard_navigation_with_one_tab_stop_per_row(small, open_page):
    page = open_page(small)
    stops = page.locator("#samples .open[tabindex='0']").count()
    assert stops == page.locator("[data-sample]").count()
    page.locator("[data-sample='1'] .open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    place = page.evaluate(
        "[document.activeElement.closest('article').dataset.sample,"
        " document.activeElement.closest('figure').dataset.key]"
    )
    assert place == ["2", "target"]
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible()


def test_question_mark_shows_the_keys(small, open_page):
    page = open_page(small)
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_without_scripts_a_plain_grid_remains(small, open_page):
    page = open_page(small, java_script_enabled=False)
    assert page.locator("#samples img").count() == 6 * 7
    assert page.locator(".typical img").first.is_visible()
    assert page.locator(".copy").count() == 0
    assert page.locator("#samples img").first.is_visible()
    assert not page.locator("#gallery-controls").is_visible()
    assert not page.locator("#viewer").is_visible()


def test_print_shows_the_grid_without_controls(small, open_page):
    page = open_page(small)
    page.emulate_media(media="print")
    assert page.locator("#samples img").first.is_visible()
    assert not page.locator("#gallery-controls").is_visible()


def test_page_fits_a_phone(small, open_page):
    page = open_page(small, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    open_viewer(page)
    box = page.locator("#viewer").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert box["y"] >= 0 and box["y"] + box["height"] <= 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_is_readable(small, open_page, scheme):
    page = open_page(small, color_scheme=scheme)
    assert unnamed(page) == []
    assert {pair: ratio for pair, ratio in contrasts(page).items() if ratio < 4.5} == {}


def unnamed(page) -> list[str]:
    """Images without alternative text and controls without a name."""
    return page.evaluate(
        """() => [
          ...[...document.querySelectorAll('img')].filter(e => !e.alt),
          ...[...document.querySelectorAll('button')].filter(
            e => !(e.getAttribute('aria-label') || e.textContent.trim())),
          ...[...document.querySelectorAll('input, select')].filter(
            e => !e.labels.length),
          ...[...document.querySelectorAll('canvas.error')].filter(
            e => !e.getAttribute('aria-label')),
        ].map(e => e.outerHTML.slice(0, 80))"""
    )


def contrasts(page) -> dict[str, float]:
    """Contrast (WCAG 2.2) of the page's text colours on its backgrounds."""
    return page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const light = (name) => {
            const hex = style.getPropertyValue(name).trim().slice(1);
            const linear = [0, 2, 4].map((i) => {
              const c = parseInt(hex.slice(i, i + 2), 16) / 255;
              return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
          };
          const result = {};
          for (const text of ['--ink', '--muted', '--accent', '--good', '--bad']) {
            for (const ground of ['--paper', '--card']) {
              const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
              result[`${text} on ${ground}`] = (a + 0.05) / (b + 0.05);
            }
          }
          return result;
        }"""
    )
