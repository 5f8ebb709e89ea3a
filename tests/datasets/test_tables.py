import json

import pandas as pd
import pytest

from image_translation.datasets.tables import NumbersCSVDataset


@pytest.fixture
def dataset(tmp_path):
    dataset = NumbersCSVDataset(
        filepath=str(tmp_path / "table.csv"), save_args={"index": False}
    )
    dataset.save(
        pd.DataFrame(
            {
                "model": ["unet", "pix2pix", "other"],
                "n": [3, 4, 5],
                "mean": [0.024945290139476273, 123456.789, 1.0],
                "ci_low": [float("nan"), -0.000012345, 2.0],
            }
        )
    )
    return dataset


def test_preview_is_rounded_and_the_table_is_not(dataset):
    preview = dataset.preview(nrows=2)
    assert preview["columns"] == ["model", "n", "mean", "ci_low"]
    assert preview["data"] == [
        ["unet", 3, 0.02495, None],
        ["pix2pix", 4, 123500.0, -1.234e-05],
    ]
    assert dataset.load()["mean"][0] == 0.024945290139476273


def test_preview_is_json(dataset):
    json.dumps(dataset.preview(), allow_nan=False)
