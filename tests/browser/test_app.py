"""The app in a browser: from the upload to the download."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.app.conftest import running_app

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds; the first translation loads the model


@pytest.fixture(scope="module")
def project(smoke_project, tmp_path_factory) -> Path:
    return shutil.copytree(smoke_project, tmp_path_factory.mktemp("app") / "project")


@pytest.fixture(scope="module")
def url(project, tmp_path_factory) -> Iterator[str]:
    with running_app(project, tmp_path_factory.mktemp("temporary")) as (address, _):
        yield address


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    """Rotated, grey, with metadata, and an unusual name."""
    folder = tmp_path_factory.mktemp("photographs")
    slope = np.linspace(30, 220, 60 * 40).reshape(40, 60).astype(np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Ada"
    path = folder / "Größe & Co (1).jpg"
    Image.fromarray(slope).save(path, exif=exif, dpi=(300, 300))
    return path


@pytest.fixture
def open_app(browser, url) -> Iterator[Any]:
    """Open the app; fails at the end on external requests or errors."""
    contexts, requests, complaints = [], [], []

    def listen(message: Any) -> None:
        if message.type == "error":  # Gradio's own client warns now and then
            complaints.append(message.text)

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", listen)
        page.goto(url)
        page.locator("#models input:checked").wait_for()
        return page

    open_page.complaints = complaints  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    inside = (url, "data:", "blob:")
    assert [asked for asked in requests if not asked.startswith(inside)] == []
    assert complaints == []


def upload(page, path: Path) -> None:
    page.locator("#photograph input[type=file]").set_input_files(path)


def translate(page) -> None:
    page.get_by_role("button", name="Translate", exact=True).click()
    page.locator(".translations figure").first.wait_for()


def download(page, number: int, folder: Path) -> Path:
    with page.expect_download() as started:
        page.locator(".translations .download").nth(number).click()
    path = folder / f"{number}" / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_download_equals_the_output_of_the_pipeline(
    open_app, photograph, project, kedro, tmp_path
):
    page = open_app()
    upload(page, photograph)
    page.locator("#slider img").first.wait_for()
    page.get_by_label("pix2pix", exact=True).check()
    translate(page)
    assert page.locator(".translations figure").count() == 2
    got, other = (download(page, number, tmp_path) for number in (0, 1))
    parameters = f"task=colorization,input={photograph},output={tmp_path / 'made'}"
    result = kedro(
        project, "run", "--env=smoke", "--pipeline=translate", f"--params={parameters}"
    )
    assert result.returncode == 0, result.stderr
    made = tmp_path / "made" / photograph.name
    assert other.name == f"{photograph.stem}-pix2pix{photograph.suffix}"
    assert got.name.startswith(f"{photograph.stem}-") and got.name != other.name
    assert got.read_bytes() == made.read_bytes() != other.read_bytes()
    with Image.open(got) as image:
        assert (image.size, image.mode) == ((40, 60), "RGB")
        assert image.getexif()[ExifTags.Base.Artist] == "Ada"


def test_models_are_compared(open_app, photograph):
    page = open_app()
    upload(page, photograph)
    page.locator("#slider img").first.wait_for()
    page.get_by_label("pix2pix", exact=True).check()
    translate(page)
    shown = page.locator("#slider img")
    first, second = (
        page.locator(".translations img").nth(n).get_attribute("src").split("file=")[1]
        for n in (0, 1)
    )
    sources = lambda: " ".join(  # noqa: E731
        image.get_attribute("src") for image in shown.all()
    )
    assert first in sources() and second not in sources()
    page.locator("#shown").get_by_label("pix2pix", exact=True).check()
    page.wait_for_function(
        "name => [...document.querySelectorAll('#slider img')]"
        ".some(image => image.src.includes(name))",
        arg=second,
    )
    card = page.locator(".translations figure").nth(1)
    assert "PSNR" in card.inner_text() and " to " in card.inner_text()
    assert card.get_by_role("link", name="Run in MLflow").count() == 0  # not served


def test_sample_is_translated(open_app):
    page = open_app()
    page.locator("#samples button").first.click()
    page.locator("#slider img").first.wait_for()
    translate(page)
    assert "451 × 300 pixels" in page.locator(".translations figure").inner_text()
    download = page.locator(".translations .download").inner_text()
    assert re.fullmatch(r"Download chelsea-\w+\.png", download)


def test_invalid_file_is_reported_and_can_be_replaced(open_app, photograph, tmp_path):
    (tmp_path / "notes.png").write_text("Dear diary\n")
    page = open_app()
    upload(page, tmp_path / "notes.png")
    toast = page.get_by_text("notes.png cannot be translated: not an image")
    toast.wait_for()
    page.get_by_role("button", name="Translate", exact=True).click()
    page.get_by_text("No photograph; upload one").wait_for()
    upload(page, photograph)
    page.locator("#slider img").first.wait_for()
    translate(page)


def test_oversized_upload_is_rejected_in_the_page(open_app, photograph, tmp_path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(200 * 10**6)
    page = open_app()
    upload(page, tmp_path / "large.png")
    page.get_by_text("exceed the maximum allowed size of 100.0 Mb").wait_for()
    upload(page, photograph)
    page.locator("#slider img").first.wait_for()
    open_app.complaints.clear()  # Gradio asks how far an upload is that never began


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_and_is_readable_in_both_colour_schemes(open_app, scheme):
    page = open_app(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page.locator("#samples button").first.click()
    page.locator("#slider img").first.wait_for()
    translate(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("footer").count() == 0
    for text in ("h1", ".translations h3", ".translations .about", ".download"):
        assert contrast(page, text) >= 4.5, text


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text to its background."""
    return page.locator(selector).first.evaluate(
        """element => {
          const numbers = colour => {
            const canvas = new OffscreenCanvas(1, 1).getContext('2d');
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
          };
          const light = colour => numbers(colour).slice(0, 3)
            .map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          let behind = element;
          while (behind.parentElement &&
                 numbers(getComputedStyle(behind).backgroundColor)[3] === 0)
            behind = behind.parentElement;
          const pair = [getComputedStyle(element).color,
                        getComputedStyle(behind).backgroundColor].map(light);
          return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        }"""
    )
