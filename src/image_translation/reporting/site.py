"""Build a folder of static pages: every task's graph and report, with a start page."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_translation.reporting import formatting
from image_translation.reporting.templates import read_template

REPORTS, GRAPH, DOCS = "reports", "graph", "docs"
PUBLISHED = ("report.html", "blind_test.html")
"""Published files of a task's folder; the key of the blind test is not published."""

BEGIN = """<!DOCTYPE html>
<script>
  const fetchAnywhere = window.fetch;
  window.fetch = (url, ...options) =>
    fetchAnywhere(url === "/api/run-status" ? `.${url}` : url, ...options);
</script>
"""
"""Begin of kedro-viz's page: fetch the status of runs from its own folder."""


@dataclass(frozen=True)
class _Task:
    """Links of a task; None without such a page."""

    title: str
    report: str | None
    blind_test: str | None
    graph: str


def build_site(
    output: Path, reports: Path, graph: Path | None, tasks: Sequence[str]
) -> Path:
    """Copy pages into a folder and write its start page.

    Args:
        output: The site's folder; other files in it, such as ``docs``, are kept.
        reports: The folder with ``summary.html`` and one folder per task.
        graph: Output of ``kedro viz build``; None keeps the existing graph.
        tasks: All tasks, in the order of the page.

    Returns:
        The start page.
    """
    output.mkdir(parents=True, exist_ok=True)
    _copy_reports(reports, output / REPORTS, tasks)
    if graph is not None:
        shutil.rmtree(output / GRAPH, ignore_errors=True)
        shutil.copytree(graph, output / GRAPH)
        _make_portable(output / GRAPH)
    page = output / "index.html"
    html = read_template("site.html").render(
        tasks=[_link(task, output) for task in tasks],
        summary=_if_there(output, f"{REPORTS}/summary.html"),
        docs=_if_there(output, f"{DOCS}/index.html"),
        folder=output.name,
    )
    page.write_text(html, "utf-8")
    return page


def _copy_reports(reports: Path, output: Path, tasks: Sequence[str]) -> None:
    shutil.rmtree(output, ignore_errors=True)
    pages = [f"{task}/{page}" for task in tasks for page in PUBLISHED]
    for page in ["summary.html", *pages]:
        if (reports / page).is_file():
            (output / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(reports / page, output / page)


def _make_portable(graph: Path) -> None:
    """Make kedro-viz work in any folder, without external requests.

    It requests a font from a server, without which it looks nearly the same, and
    fetches the status of runs from the root of its server. Its own code is unchanged.
    """
    page = graph / "index.html"
    html = re.sub(r"<link\b[^>]*https?://[^>]*>\s*", "", page.read_text("utf-8"))
    page.write_text(BEGIN + html.removeprefix("<!DOCTYPE html>"), "utf-8")


def _link(task: str, output: Path) -> _Task:
    return _Task(
        formatting.title(task),
        _if_there(output, f"{REPORTS}/{task}/report.html"),
        _if_there(output, f"{REPORTS}/{task}/blind_test.html"),
        f"{GRAPH}/index.html?pid={task}",
    )


def _if_there(output: Path, page: str) -> str | None:
    return page if (output / page).is_file() else None
