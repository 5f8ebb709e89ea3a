import json

import pytest

from image_translation.common import code_cache


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "module.py").write_text("A = 1\n")
    return folder


@pytest.fixture
def ask(package):
    """Ask for a result as a new process would; returns it and whether it was computed."""

    def ask_anew(key="key", value=None):
        code_cache._digest_source.cache_clear()
        code_cache._read.cache_clear()
        calls = []
        result = code_cache.stored(
            package, key, lambda: calls.append(key) or value or {"module": "digest"}
        )
        return result, bool(calls)

    return ask_anew


def test_result_is_computed_once(ask, package):
    assert ask() == ({"module": "digest"}, True)
    assert ask() == ({"module": "digest"}, False)
    assert ask("other", {"n": "2"}) == ({"n": "2"}, True)
    assert ask() == ({"module": "digest"}, False)
    assert [f.name for f in (package / "__pycache__").iterdir()] == [
        "code_digests.json"
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: (p / "inner" / "module.py").write_text("A = 2\n"),
        lambda p: (p / "inner" / "new.py").write_text(""),
        lambda p: (p / "inner" / "module.py").rename(p / "inner" / "other.py"),
        lambda p: (p / "page.html").write_text("<p>"),
    ],
)
def test_change_of_source_forgets_all_results(ask, package, change):
    ask()
    change(package)
    assert ask() == ({"module": "digest"}, True)


@pytest.mark.parametrize("damage", ["", "{", "[]", json.dumps({"source": "other"})])
def test_damaged_or_foreign_file_is_replaced(ask, package, damage):
    ask()
    (package / code_cache.FILE).write_text(damage)
    assert ask() == ({"module": "digest"}, True)
    assert ask() == ({"module": "digest"}, False)


def test_package_that_cannot_be_written_to_is_served(ask, package):
    (package / "__pycache__").write_text("a file in place of the folder")
    assert ask() == ({"module": "digest"}, True)
