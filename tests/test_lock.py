"""Lock files and the tools that write and check them."""

import importlib
import re
import tomllib
from types import SimpleNamespace

import pytest

from tests.conftest import PROJECT

LOCKS = [path.name for path in sorted(PROJECT.glob("requirements*.lock"))]


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "tools"))
    return SimpleNamespace(
        lock=importlib.import_module("lock"), audit=importlib.import_module("audit")
    )


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(tools, name):
    entries = tools.lock.read_lock(PROJECT / name)
    assert entries
    for package, entry in entries.items():
        assert re.match(rf"{package}==\S+ \\\n    --hash=sha256:[0-9a-f]{{64}}", entry)
    assert "".join(entries.values()) == (PROJECT / name).read_text("utf-8")


def test_every_dependency_is_locked(tools):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *sum(map(extras.get, tools.lock.EXTRAS), [])]
    names = {re.split(r"[\[~=<>]", text)[0].lower() for text in wanted}
    assert names <= tools.lock.read_lock(PROJECT / "requirements.lock").keys()


def test_builds_of_torch_are_of_one_version(tools):
    of_pypi = tools.lock.read_lock(PROJECT / "requirements.lock")["torch"]
    of_cpu = tools.lock.read_lock(PROJECT / "requirements-cpu.lock")["torch"]
    matches = [tools.lock.TORCH.match(entry) for entry in (of_pypi, of_cpu)]
    assert matches[0][1] == matches[1][1]
    assert [match[2] for match in matches] == [None, "+cpu"]


def answer(monkeypatch, tools, stdout, stderr=""):
    result = SimpleNamespace(stdout=stdout, stderr=stderr)
    monkeypatch.setattr(tools.audit.subprocess, "run", lambda *a, **k: result)


def test_audit_without_a_connection_is_skipped(tools, monkeypatch, capsys):
    answer(monkeypatch, tools, "", "Traceback\nConnectionError: no route to host")
    tools.audit.main()
    said = capsys.readouterr().out
    assert "audit skipped" in said
    assert "no route to host" in said


def test_audit_names_vulnerable_packages(tools, monkeypatch, capsys):
    answer(
        monkeypatch,
        tools,
        '{"dependencies": [{"name": "a", "version": "1", "vulns":'
        ' [{"id": "PYSEC-1", "fix_versions": ["2"]}]}, {"name": "b", "version": "1"}]}',
    )
    with pytest.raises(SystemExit):
        tools.audit.main()
    said = capsys.readouterr().out
    assert "requirements.lock: a 1: PYSEC-1, fixed in 2" in said
