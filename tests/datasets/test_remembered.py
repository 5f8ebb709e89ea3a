import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.datasets.remembered import RememberedCSVDataset

FRAME = pd.DataFrame({"a": [1, 2]})


def test_remembered_table_is_none_until_it_is_written(tmp_path):
    path = tmp_path / "split.csv"
    dataset = RememberedCSVDataset(filepath=str(path))
    assert dataset.load() is None
    FRAME.to_csv(path, index=False)
    pd.testing.assert_frame_equal(dataset.load(), FRAME)


def test_remembered_table_cannot_be_saved(tmp_path):
    dataset = RememberedCSVDataset(filepath=str(tmp_path / "split.csv"))
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save(FRAME)
