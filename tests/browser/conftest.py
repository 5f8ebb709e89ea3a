"""A browser, and pages whose requests and errors are recorded."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        pytest.fail(
            f"None of {', '.join(CHROMIUM)} is installed. "
            "On Debian and Ubuntu: apt-get install chromium fonts-dejavu"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without a sandbox of its own, for containers run as root; pages are ours.
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open a file; fails at the end on any request, log message or exception."""
    contexts, requests, complaints = [], [], []

    def open_file(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    inside = ("file://", "data:", "blob:")
    assert [url for url in requests if not url.startswith(inside)] == []
    assert len({url for url in requests if url.startswith("file://")}) == 1
    assert complaints == []
