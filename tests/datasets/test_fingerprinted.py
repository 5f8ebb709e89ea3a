import logging

import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.common.stamps import Stamped
from image_translation.datasets.figures import FingerprintedPNGDataset
from image_translation.datasets.fingerprinted import (
    FingerprintedCSVDataset,
    FingerprintedJSONDataset,
    FingerprintedTextDataset,
)

FRAME = pd.DataFrame({"a": [1, 2]})


@pytest.fixture
def dataset(tmp_path):
    return FingerprintedCSVDataset(
        filepath=str(tmp_path / "new" / "scores.csv"), save_args={"index": False}
    )


def test_round_trip_of_table_and_fingerprint(dataset):
    dataset.save(Stamped("f", FRAME))
    loaded = dataset.load()
    pd.testing.assert_frame_equal(loaded, FRAME)
    assert loaded.attrs["fingerprint"] == "f"


def test_table_without_a_value_is_kept(dataset, caplog):
    dataset.save(Stamped("f", FRAME))
    with caplog.at_level(logging.INFO):
        dataset.save(Stamped("f", None))
    assert "scores.csv is up to date" in caplog.text


def test_new_table_replaces_the_old_one(dataset):
    dataset.save(Stamped("f", FRAME))
    dataset.save(Stamped("g", FRAME * 2))
    assert dataset.load()["a"].tolist() == [2, 4]


def test_fingerprint_of_the_stored_file(dataset, tmp_path):
    assert dataset.stored_fingerprints() == set()
    dataset.save(Stamped("f", FRAME))
    assert dataset.stored_fingerprints() == {"f"}
    (tmp_path / "new" / "scores.csv").unlink()
    assert dataset.stored_fingerprints() == set()


def test_failure_does_not_leave_a_valid_stamp(dataset):
    dataset.save(Stamped("f", FRAME))
    with pytest.raises(DatasetError):
        dataset.save(Stamped("g", "no table"))
    assert dataset.stored_fingerprints() == set()


@pytest.mark.parametrize(
    ("kind", "file", "content"),
    [
        (FingerprintedJSONDataset, "key.json", {"page": "ü"}),
        (FingerprintedTextDataset, "report.html", "<p>ü</p>"),
        (FingerprintedPNGDataset, "chart.png", b"\x89PNG\r\n"),
    ],
)
def test_file_of_any_kind_is_written_once(tmp_path, kind, file, content):
    dataset = kind(filepath=str(tmp_path / "new" / file))
    dataset.save(Stamped("f", content))
    first = (tmp_path / "new" / file).read_bytes()
    dataset.save(Stamped("f", None))
    assert (tmp_path / "new" / file).read_bytes() == first != b""
    assert dataset.load() == content
