import json
import re
import shutil
import subprocess

import pytest

from image_translation.common.errors import InputError
from image_translation.reporting.site import MARKER, build_site

TASKS = ("colorization", "hidden_digits")


@pytest.fixture
def reports(tmp_path):
    folder = tmp_path / "08_reporting"
    (folder / "colorization").mkdir(parents=True)
    for page in ("summary.html", "colorization/report.html"):
        (folder / page).write_text(page, "utf-8")
    (folder / "colorization/blind_test.html").write_text("?", "utf-8")
    (folder / "colorization/blind_test_key.json").write_text("{}", "utf-8")
    return folder


@pytest.fixture
def graph(tmp_path):
    folder = tmp_path / "build"
    (folder / "api").mkdir(parents=True)
    (folder / "api/main").write_text("{}", "utf-8")
    (folder / "index.html").write_text(
        '<!DOCTYPE html><link rel="icon" href="./a.ico">\n'
        '<link\n href="https://fonts.example/css" rel="stylesheet">\n<p>graph</p>',
        "utf-8",
    )
    (folder / "assets").mkdir()
    script = 'fetch("/api/run-status"),fetch("./api/main")'
    (folder / "assets/index-a1.js").write_text(script, "utf-8")
    return folder


def links(page):
    return re.findall(r'href="(?!data:)([^"]+)"', page.read_text("utf-8"))


def test_start_page_links_all_pages(reports, graph, tmp_path):
    page = build_site(tmp_path / "site", reports, graph, TASKS)
    assert links(page) == [
        "reports/colorization/report.html",
        "reports/colorization/blind_test.html",
        "graph/index.html?pid=colorization",
        "graph/index.html?pid=hidden_digits",
        "reports/summary.html",
    ]
    for link in links(page):
        assert (page.parent / link.partition("?")[0]).is_file()
    assert "not run yet" in page.read_text("utf-8")


def test_key_of_the_blind_test_is_not_published(reports, graph, tmp_path):
    build_site(tmp_path / "site", reports, graph, TASKS)
    assert not list((tmp_path / "site").rglob("*key*"))


def test_graph_finds_the_status_of_runs_in_its_own_folder(reports, graph, tmp_path):
    build_site(tmp_path / "site", reports, graph, TASKS)
    begin, _, rest = (tmp_path / "site/graph/index.html").read_text().partition("<link")
    assert begin.count("<!DOCTYPE html>") == 1 and "<!DOCTYPE" not in rest
    wrapper = begin.partition("<script>")[2].partition("</script>")[0]
    fetched = "fetch('/api/run-status', 1); fetch('./api/main', 2, 3)"
    code = (
        "const calls = []; globalThis.window = globalThis;"
        f"globalThis.fetch = (...all) => calls.push(all); (() => {{{wrapper}}})();"
        f"{fetched}; console.log(JSON.stringify(calls))"
    )
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    ran = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [["./api/run-status", 1], ["./api/main", 2, 3]]


def test_code_of_kedro_viz_is_unchanged(reports, graph, tmp_path):
    build_site(tmp_path / "site", reports, graph, TASKS)
    for folder in (graph, tmp_path / "site/graph"):
        script = (folder / "assets/index-a1.js").read_text("utf-8")
        assert script == 'fetch("/api/run-status"),fetch("./api/main")'


def test_graph_has_no_external_requests(reports, graph, tmp_path):
    build_site(tmp_path / "site", reports, graph, TASKS)
    html = (tmp_path / "site/graph/index.html").read_text("utf-8")
    assert "https://" not in html
    assert "./a.ico" in html and "<p>graph</p>" in html


def test_old_pages_are_removed_and_the_documentation_is_kept(reports, graph, tmp_path):
    site = tmp_path / "site"
    build_site(site, reports, graph, TASKS)
    (site / "docs").mkdir()
    (site / "docs/index.html").write_text("docs", "utf-8")
    (reports / "colorization/report.html").unlink()
    page = build_site(site, reports, None, TASKS)
    assert not (site / "reports/colorization/report.html").exists()
    assert (site / "graph/index.html").is_file()
    assert "docs/index.html" in links(page)


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "name",
    [
        "reports/summary.html",
        "reports/colorization/report.html",
        "graph/index.html",
        "index.html",
    ],
)
def test_file_of_others_is_neither_replaced_nor_removed(reports, graph, tmp_path, name):
    site = tmp_path / "site"
    for other in (name, "reports/thesis.html", "graph/other/plot.svg"):
        (site / other).parent.mkdir(parents=True, exist_ok=True)
        (site / other).write_text("mine", "utf-8")
    before = contents(site)
    with pytest.raises(InputError, match="was not made by kedro site"):
        build_site(site, reports, graph, TASKS)
    assert contents(site) == before


def test_files_of_others_stay_beside_the_pages(reports, graph, tmp_path):
    site = tmp_path / "site"
    (site / "reports").mkdir(parents=True)
    (site / "reports/thesis.html").write_text("mine", "utf-8")
    for _ in range(2):
        build_site(site, reports, graph, TASKS)
        (site / "graph/notes.md").write_text("mine", "utf-8")
    assert (site / "reports/thesis.html").read_text("utf-8") == "mine"
    assert (site / "graph/notes.md").read_text("utf-8") == "mine"


def test_unused_files_of_the_graph_are_removed(reports, graph, tmp_path):
    site = tmp_path / "site"
    build_site(site, reports, graph, TASKS)
    (graph / "api/main").unlink()
    build_site(site, reports, graph, TASKS)
    assert not (site / "graph/api").exists()


def test_link_out_of_the_site_is_refused(reports, graph, tmp_path):
    site = tmp_path / "site"
    build_site(site, reports, graph, TASKS)
    (site / "reports").rename(tmp_path / "elsewhere")
    (site / "reports").symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="was not made by kedro site"):
        build_site(site, reports, graph, TASKS)
    assert contents(tmp_path / "elsewhere") == before


@pytest.mark.parametrize(
    "files", ["../mine.txt", "reports/../../mine.txt", "/tmp/mine"]
)
def test_marker_removes_nothing_outside_the_site(reports, tmp_path, files):
    site = tmp_path / "site"
    build_site(site, reports, None, TASKS)
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    (site / MARKER).write_text(f'{{"files": ["index.html", "{files}"]}}', "utf-8")
    (site / "reports/summary.html").unlink()
    (site / "reports/colorization/report.html").unlink()
    (site / "reports/colorization/blind_test.html").unlink()
    build_site(site, reports, None, TASKS)
    assert (tmp_path / "mine.txt").read_text("utf-8") == "mine"


def test_damaged_marker_is_refused(reports, tmp_path):
    site = tmp_path / "site"
    build_site(site, reports, None, TASKS)
    (site / MARKER).write_text("no json", "utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        build_site(site, reports, None, TASKS)


def test_graph_inside_the_site_is_refused(reports, graph, tmp_path):
    build_site(tmp_path / "site", reports, graph, TASKS)
    with pytest.raises(InputError, match="--graph"):
        build_site(tmp_path / "site", reports, tmp_path / "site/graph", TASKS)
    assert (tmp_path / "site/graph/index.html").is_file()
