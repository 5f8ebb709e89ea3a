"""``DryRunner`` on a small pipeline; test_smoke_run.py has that of a task."""

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from image_translation.cli.dry_run import DryRunner
from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import make_if_stale
from image_translation.datasets.checked import CheckedTextDataset
from image_translation.datasets.fingerprinted import FingerprintedTextDataset
from image_translation.hooks.stamps import StampHooks


def split(text):
    return text.upper()


def train(size, parts):
    return make_if_stale(fingerprint(size=size, parts=parts), lambda: f"{size} {parts}")


def promote(trained):
    return f"promoted {trained}"


def report(trained, promoted):
    return make_if_stale(fingerprint(trained=trained, promoted=promoted), lambda: "r")


PIPELINE = Pipeline(
    [
        Node(split, "text", "parts", name="split"),
        Node(train, ["size", "parts"], "trained", name="train"),
        Node(promote, "trained", "promoted", name="promote", tags="promotion"),
        Node(report, ["trained", "promoted"], "report", name="report"),
    ]
)


@pytest.fixture
def catalog(tmp_path):
    types = {
        "parts": CheckedTextDataset,
        "trained": FingerprintedTextDataset,
        "promoted": CheckedTextDataset,
        "report": FingerprintedTextDataset,
    }
    files = {n: t(filepath=str(tmp_path / f"{n}.txt")) for n, t in types.items()}
    return DataCatalog(
        {"size": MemoryDataset(1), "text": MemoryDataset("abc"), **files}
    )


@pytest.fixture
def finished(catalog):
    """The catalog after a run."""
    hooks = _create_hook_manager()
    hooks.register(StampHooks())
    SequentialRunner().run(PIPELINE, catalog, hooks)
    return catalog


def reasons(catalog):
    runner = DryRunner()
    runner.run(PIPELINE, catalog)
    return runner.reasons


def test_first_run_would_make_everything_and_nothing_is_written(catalog, tmp_path):
    assert reasons(catalog) == {
        "split": "parts is missing",
        "train": "depends on split",
        "promote": "depends on train",
        "report": "depends on train and 1 more",
    }
    assert not list(tmp_path.iterdir())


def test_up_to_date_run_would_make_nothing(finished, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert reasons(finished) == {}
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_changed_parameter_is_named(finished):
    finished["size"] = MemoryDataset(2)
    assert reasons(finished)["train"] == "size: 1 → 2"
    assert "split" not in reasons(finished)


def test_output_without_a_stamp_is_compared(finished):
    finished["text"] = MemoryDataset("abd")
    assert reasons(finished)["split"] == "parts changes"


def test_node_with_effects_is_not_called(finished, tmp_path):
    (tmp_path / "promoted.txt").unlink()
    assert reasons(finished) == {
        "promote": "promoted is missing",
        "report": "depends on promote",
    }
