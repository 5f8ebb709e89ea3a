"""The documentation builds offline, without warnings, and is complete."""

import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from image_translation.cli import cli
from image_translation.common.schema import flatten
from image_translation.config.parameters import ALL_MODELS, LayeredConfigLoader
from image_translation.metrics import MEASURES
from tests.conftest import PROJECT

# Documented in the tables of models and sources.
IN_OTHER_TABLES = {
    "enabled",
    "network.name",
    "objective.adversarial",
    "objective.l1",
    "source",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    config = load_config(str(PROJECT / "mkdocs.yml"), strict=True, site_dir=str(folder))
    build(config)  # a warning is an error in strict mode
    return folder


class Page(HTMLParser):
    """A page's table rows, and the URLs that a browser would fetch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.in_cell = False
        self.rows: list[list[str]] = []
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "link":
            self.fetched.append(attributes["href"])
        elif "src" in attributes:
            self.fetched.append(attributes["src"])
        self.in_cell = self.in_cell or tag in ("td", "th")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += data


def test_every_parameter_has_type_default_and_meaning(site):
    rows = Page(site / "reference/parameters.html").rows
    documented = {row[0]: row[1:] for row in rows if len(row) == 4}
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"), env="smoke", base_env="base", default_run_env="local"
    )
    block = loader["parameters"]["colorization"]
    # The space of tuning has its own table.
    sections = block.model_dump(exclude={*ALL_MODELS, "tuning"})
    sections["tuning"] = block.tuning.model_dump(exclude={"space"})
    model = block.unet.model_dump()
    for name in {*flatten(sections), *flatten(model)} - IN_OTHER_TABLES:
        assert all(documented[name]), f"{name} lacks a comment in conf/base"


def test_changes_of_tasks_and_environments_are_listed(site):
    html = (site / "reference/parameters.html").read_text("utf-8")
    for file in PROJECT.glob("conf/*/parameters*.yml"):
        if file.parent.name in ("smoke", "kaggle") or "_" in file.stem:
            assert f"conf/{file.parent.name}/{file.name}" in html


def test_every_dataset_is_described(site):
    rows = Page(site / "reference/datasets.html").rows
    described = {row[0] for row in rows if len(row) == 3 and all(row)}
    for file in PROJECT.glob("conf/base/catalog_*.yml"):
        names = re.findall(r'^"?([^\s"#]+?)"?:$', file.read_text("utf-8"), re.MULTILINE)
        assert names
        assert set(names) <= described, f"{file.name} lacks comments above entries"


def test_every_metric_is_explained(site):
    html = (site / "reference/metrics.html").read_text("utf-8")
    for measure in MEASURES.values():
        _, _, text = html.partition(f"<code>{measure.name}</code>")
        better = "higher" if measure.higher_is_better else "lower"
        assert f"{better} is better" in text.partition("</p>")[0]
        assert escape(measure.definition, quote=False) in html


def test_every_command_is_listed_with_its_options(site):
    html = (site / "reference/commands.html").read_text("utf-8")
    assert {"run", "site"} <= set(cli.commands)
    commands = {n: c for n, c in cli.commands.items() if not hasattr(c, "commands")}
    for name, command in commands.items():
        _, _, section = html.partition(f'id="kedro-{name}">')
        section = section.partition("<h3")[0]
        for option in command.params:
            assert escape(option.opts[0]) in section


def test_pages_load_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        assert not [url for url in Page(page).fetched if "//" in url]
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//", sheet.read_text("utf-8"))


def test_heading_ids_work_as_selectors_in_the_theme(site):
    for page in set(site.rglob("*.html")) - {site / "404.html"}:
        assert not re.search(r'<h\d id="\d', page.read_text("utf-8")), page
