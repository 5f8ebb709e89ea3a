"""Build a folder of static pages: every task's graph and report, with a start page."""

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.files import write_text
from image_translation.reporting import formatting
from image_translation.reporting.templates import read_template

MARKER = ".image-translation-site.json"
"""File in the site's folder that lists the files of this module. Only these are replaced
and removed.
"""

START, REPORTS, GRAPH, DOCS = "index.html", "reports", "graph", "docs"
PUBLISHED = ("report.html", "blind_test.html")
"""Published files of a task's folder; the key of the blind test is not published."""

BEGIN = """<!DOCTYPE html>
<script>
  const fetchAnywhere = window.fetch;
  window.fetch = (url, ...options) =>
    fetchAnywhere(url === "/api/run-status" ? `.${url}` : url, ...options);
</script>
"""
"""Start of kedro-viz's page: a script that fetches the status of runs from its folder."""


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

    Raises:
        InputError: A page would replace a file that is not part of the site.
    """
    pages = _find_reports(reports, tasks)
    if graph is not None:
        pages |= _find_graph(graph, output)
    made = _read_marker(output)
    kept = {name for name in made if graph is None and name.startswith(f"{GRAPH}/")}
    _refuse_others(output, [*pages, START], made)
    output.mkdir(parents=True, exist_ok=True)
    _write_marker(output, made | pages.keys() | {START})
    _remove(output, made - kept)
    for name, page in pages.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, output / name)
    if graph is not None:
        _make_portable(output / GRAPH)
    _write_marker(output, kept | pages.keys() | {START})
    page = output / START
    html = read_template("site.html").render(
        tasks=[_link(task, output) for task in tasks],
        summary=_if_there(output, f"{REPORTS}/summary.html"),
        docs=_if_there(output, f"{DOCS}/index.html"),
        folder=output.name,
    )
    page.write_text(html, "utf-8")
    return page


def _find_reports(reports: Path, tasks: Sequence[str]) -> dict[str, Path]:
    """The pages of all tasks, by their names in the site."""
    pages = [f"{task}/{page}" for task in tasks for page in PUBLISHED]
    found = {page: reports / page for page in ["summary.html", *pages]}
    return {f"{REPORTS}/{n}": path for n, path in found.items() if path.is_file()}


def _find_graph(graph: Path, output: Path) -> dict[str, Path]:
    """The files of the graph, by their names in the site."""
    if graph.resolve().is_relative_to(output.resolve()):
        raise InputError(
            f"--graph: {graph} is in the site's folder {output}; pass another folder"
        )
    files = (path for path in sorted(graph.rglob("*")) if path.is_file())
    return {f"{GRAPH}/{path.relative_to(graph).as_posix()}": path for path in files}


def _read_marker(output: Path) -> set[str]:
    """Names of the files that an earlier call wrote."""
    try:
        return set(json.loads((output / MARKER).read_text("utf-8"))["files"])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--output: {output / MARKER} cannot be read ({error}); pass another folder"
        ) from error


def _write_marker(output: Path, names: Iterable[str]) -> None:
    write_text(output / MARKER, json.dumps({"files": sorted(names)}, indent=1))


def _refuse_others(output: Path, names: Sequence[str], made: set[str]) -> None:
    """Check that only files of the site would be replaced."""
    for name in names:
        path = output / name
        is_own = name in made and not path.is_dir()
        is_taken = path.exists() or path.is_symlink()
        if not _is_inside(path, output) or (is_taken and not is_own):
            raise InputError(
                f"--output: {path} was not made by kedro site, and is not replaced. Pass "
                "another folder, or delete the file if it is an old page of this site"
            )


def _remove(output: Path, names: Iterable[str]) -> None:
    """Remove files of the site, and folders that become empty."""
    for name in names:
        path = output / name
        if not _is_inside(path, output) or path.is_dir():
            continue  # a link or a folder has replaced it
        path.unlink(missing_ok=True)
        for folder in path.relative_to(output).parents:
            if folder != Path():
                with suppress(OSError):  # not empty
                    (output / folder).rmdir()


def _is_inside(path: Path, output: Path) -> bool:
    """True if the path leads to its own place in the site, not elsewhere by a link."""
    if not path.is_relative_to(output):
        return False
    relative = path.relative_to(output)
    expected = output.resolve() / relative.parent
    return ".." not in relative.parts and path.parent.resolve() == expected


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
