import numpy as np
import pytest
from kedro.io import DatasetError

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.datasets.predictions import (
    PredictionBatch,
    PredictionsDataset,
    read_predictions,
    write_predictions,
)
from image_translation.imaging.contact_sheet import GAP
from tests.datasets.previews import TILE, decode_preview

IDS = [f"{number:016x}" for number in range(5)]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), np.uint8)


@pytest.fixture
def dataset(tmp_path):
    return PredictionsDataset(filepath=str(tmp_path / "pix2pix" / "predictions"))


def fill(folder, fingerprint, batches):
    """Write predictions as their node does."""
    Stamp(folder).update(fingerprint, lambda: write_predictions(folder, batches))


def stream(images):
    for replicate, stack in enumerate(images):
        yield PredictionBatch(replicate, IDS[:3], stack[:3])
        yield PredictionBatch(replicate, IDS[3:], stack[3:])


def test_round_trip(dataset, images):
    fill(dataset._filepath, "f", stream(images))
    predictions = dataset.load()
    assert predictions.replicates == 2
    assert len(predictions.fingerprint) == 64
    np.testing.assert_array_equal(predictions.read(IDS[4], 1), images[1, 4])
    batches = list(predictions.read_batches(IDS[::-1], 0, batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches), images[0, ::-1])


def test_first_replicate_is_in_the_folder_itself(dataset, images, tmp_path):
    fill(dataset._filepath, "f", stream(images))
    folder = tmp_path / "pix2pix" / "predictions"
    assert {path.stem for path in folder.glob("*.png")} == set(IDS)


def test_saving_checks_that_the_predictions_are_in_the_folder(
    dataset, images, tmp_path
):
    fill(dataset._filepath, "f", stream(images))
    dataset.save(dataset.load())
    fill(tmp_path / "other", "f", stream(255 - images))
    with pytest.raises(DatasetError, match="does not contain"):
        dataset.save(read_predictions(tmp_path / "other"))


def test_damaged_prediction_is_an_error(dataset, images):
    fill(dataset._filepath, "f", stream(images))
    path = dataset._filepath / f"{IDS[0]}.png"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=f"{IDS[0]}.png is damaged"):
        list(read_predictions(dataset._filepath).read_batches(IDS, 0))


def test_new_predictions_replace_all_old_ones(dataset, images, tmp_path):
    fill(dataset._filepath, "f", stream(images))
    fill(dataset._filepath, "g", [PredictionBatch(0, IDS[:1], images[0, :1])])
    folder = tmp_path / "pix2pix" / "predictions"
    assert [path.stem for path in folder.rglob("*.png")] == IDS[:1]


def test_interrupted_predictions_do_not_exist(dataset, images):
    def cut_off():
        yield from list(stream(images))[:1]
        raise RuntimeError("interrupted")

    with pytest.raises(Exception, match="interrupted"):
        fill(dataset._filepath, "f", cut_off())
    assert not dataset.exists()


def test_model_that_did_not_run_has_no_predictions(dataset):
    fill(dataset._filepath, "f", [])
    assert dataset.load().replicates == 0


def test_preview_shows_predictions_of_the_first_replicate(dataset, images):
    fill(dataset._filepath, "f", stream(images))
    sheet = decode_preview(dataset.preview())
    corners = sheet[6, 6 :: TILE + GAP]
    np.testing.assert_array_equal(corners, images[0, :, 0, 0])


def test_preview_of_a_model_that_did_not_run_is_an_error(dataset):
    fill(dataset._filepath, "f", [])
    with pytest.raises(DatasetError, match="no predictions yet"):
        dataset.preview()
