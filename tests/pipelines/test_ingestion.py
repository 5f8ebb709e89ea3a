import pandas as pd
import pytest

from image_translation.pairing.manifest import build_manifest
from image_translation.pipelines.ingestion.nodes import form_pairs
from image_translation.sources import list_folder
from tests.pairing.helpers import auditing, pairing, preparation, write_pairs


@pytest.fixture
def folder(tmp_path):
    return write_pairs(tmp_path, {"1": 1, "2": 2, "3": 3})


def form(folder, white=None, **changes):
    source = list_folder(folder)
    settings = preparation(white=white)
    return form_pairs(source, pairing(), auditing(**changes), settings)


def test_node_returns_the_tables_of_the_manifest(folder):
    made = [output.value for output in form(folder)]
    for table, expected in zip(
        made, build_manifest(list_folder(folder), pairing(), auditing()), strict=True
    ):
        pd.testing.assert_frame_equal(table, expected)


def test_files_are_opened_again_only_after_a_change(folder):
    manifest, findings = form(folder)
    assert manifest.fingerprint == findings.fingerprint == form(folder)[0].fingerprint
    seen = {
        manifest.fingerprint,
        form(folder, near_duplicates=False)[0].fingerprint,
        form(folder, white=4095)[0].fingerprint,
    }
    assert len(seen) == 3
    (folder / "out/1.png").write_bytes(b"no longer an image")
    changed, _ = form(folder)
    assert changed.fingerprint not in seen
    assert (changed.value["verdict"] == "left_out").sum() == 1
