import logging

import pandas as pd
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from image_translation.common.fingerprint import Deferred
from image_translation.datasets.fingerprinted import (
    FingerprintedCSVDataset,
    FingerprintedJSONDataset,
    FingerprintedMatplotlibDataset,
    FingerprintedTextDataset,
)

FRAME = pd.DataFrame({"a": [1, 2]})


def never():
    raise AssertionError("computed although up to date")


@pytest.fixture
def dataset(tmp_path):
    return FingerprintedCSVDataset(
        filepath=str(tmp_path / "new" / "scores.csv"), save_args={"index": False}
    )


def test_round_trip_of_table_and_fingerprint(dataset):
    dataset.save(Deferred("f", lambda: FRAME))
    loaded = dataset.load()
    pd.testing.assert_frame_equal(loaded, FRAME)
    assert loaded.attrs["fingerprint"] == "f"


def test_table_with_matching_fingerprint_is_skipped(dataset, caplog):
    dataset.save(Deferred("f", lambda: FRAME))
    with caplog.at_level(logging.INFO):
        dataset.save(Deferred("f", never))
    assert "scores.csv is up to date" in caplog.text


def test_table_with_another_fingerprint_is_computed_again(dataset):
    dataset.save(Deferred("f", lambda: FRAME))
    dataset.save(Deferred("g", lambda: FRAME * 2))
    assert dataset.load()["a"].tolist() == [2, 4]


def test_deleted_table_is_computed_again(dataset, tmp_path):
    dataset.save(Deferred("f", lambda: FRAME))
    (tmp_path / "new" / "scores.csv").unlink()
    dataset.save(Deferred("f", lambda: FRAME))
    assert dataset.exists()


def test_failure_does_not_leave_a_valid_stamp(dataset):
    dataset.save(Deferred("f", lambda: FRAME))
    with pytest.raises(DatasetError, match="computed although"):
        dataset.save(Deferred("g", never))
    dataset.save(Deferred("f", lambda: FRAME * 3))
    assert dataset.load()["a"].tolist() == [3, 6]


@pytest.mark.parametrize(
    ("kind", "file", "content"),
    [
        (FingerprintedJSONDataset, "key.json", {"page": "ü"}),
        (FingerprintedTextDataset, "report.html", "<p>ü</p>"),
        (FingerprintedMatplotlibDataset, "chart.png", Figure()),
    ],
)
def test_file_of_any_kind_is_computed_once(tmp_path, kind, file, content):
    dataset = kind(filepath=str(tmp_path / "new" / file))
    dataset.save(Deferred("f", lambda: content))
    first = (tmp_path / "new" / file).read_bytes()
    dataset.save(Deferred("f", never))
    assert (tmp_path / "new" / file).read_bytes() == first != b""
    if kind is not FingerprintedMatplotlibDataset:  # which does not load
        assert dataset.load() == content
