import json

import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.datasets.results import TaskResultsDataset, TypicalImagesDataset
from image_translation.statistics.comparison import TaskResults


def write_tables(folder, tables=TaskResults._fields):
    folder.mkdir(parents=True)
    for table in tables:
        frame = pd.DataFrame({"metric": ["psnr"], "value": [1 / 3]})
        frame.to_csv(folder / f"{table}.csv", index=False)


def test_tables_of_every_task_are_read(tmp_path):
    for task in ("monet", "cartoon"):
        write_tables(tmp_path / task)
    (tmp_path / "summary.html").write_text("")
    results = TaskResultsDataset(filepath=str(tmp_path)).load()
    assert list(results) == ["cartoon", "monet"]
    assert results["monet"].effects["value"].item() == 1 / 3


def test_task_without_all_tables_is_skipped(tmp_path):
    write_tables(tmp_path / "monet", ["comparison", "verdicts"])
    assert TaskResultsDataset(filepath=str(tmp_path)).load() == {}


def test_missing_folder_has_no_results(tmp_path):
    dataset = TaskResultsDataset(filepath=str(tmp_path / "new"))
    assert dataset.load() == {}
    assert not dataset.exists()


@pytest.mark.parametrize("kind", [TaskResultsDataset, TypicalImagesDataset])
def test_saving_is_rejected(tmp_path, kind):
    with pytest.raises(DatasetError, match="read-only"):
        kind(filepath=str(tmp_path)).save({})


def test_typical_image_of_every_task_is_read(tmp_path):
    for task in ("monet", "cartoon"):
        (tmp_path / task).mkdir()
    (tmp_path / "monet/typical_image.json").write_text(json.dumps({"name": "é.png"}))
    images = TypicalImagesDataset(filepath=str(tmp_path)).load()
    assert images == {"monet": {"name": "é.png"}}
