import numpy as np
import pytest
from kedro.io import DatasetError

from image_translation.common.fingerprint import Deferred
from image_translation.datasets.predictions import PredictionBatch, PredictionsDataset
from image_translation.imaging.contact_sheet import GAP
from tests.datasets.previews import TILE, decode_preview

IDS = [f"{number:016x}" for number in range(5)]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), np.uint8)


@pytest.fixture
def dataset(tmp_path):
    return PredictionsDataset(filepath=str(tmp_path / "pix2pix" / "predictions"))


def stream(images):
    for replicate, stack in enumerate(images):
        yield PredictionBatch(replicate, IDS[:3], stack[:3])
        yield PredictionBatch(replicate, IDS[3:], stack[3:])


def test_round_trip(dataset, images):
    dataset.save(Deferred("f", lambda: stream(images)))
    predictions = dataset.load()
    assert predictions.replicates == 2
    assert predictions.fingerprint == "f"
    np.testing.assert_array_equal(predictions.read(IDS[4], 1), images[1, 4])
    batches = list(predictions.read_batches(IDS[::-1], 0, batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches), images[0, ::-1])


def test_first_replicate_is_in_the_folder_itself(dataset, images, tmp_path):
    dataset.save(Deferred("f", lambda: stream(images)))
    folder = tmp_path / "pix2pix" / "predictions"
    assert {path.stem for path in folder.glob("*.png")} == set(IDS)


def test_predictions_with_matching_fingerprint_are_skipped(dataset, images):
    dataset.save(Deferred("f", lambda: stream(images)))
    dataset.save(Deferred("f", lambda: pytest.fail("computed although up to date")))


def test_new_predictions_replace_all_old_ones(dataset, images, tmp_path):
    dataset.save(Deferred("f", lambda: stream(images)))
    dataset.save(Deferred("g", lambda: [PredictionBatch(0, IDS[:1], images[0, :1])]))
    folder = tmp_path / "pix2pix" / "predictions"
    assert [path.stem for path in folder.rglob("*.png")] == IDS[:1]


def test_interrupted_predictions_do_not_exist(dataset, images):
    def cut_off():
        yield from list(stream(images))[:1]
        raise RuntimeError("interrupted")

    with pytest.raises(Exception, match="interrupted"):
        dataset.save(Deferred("f", cut_off))
    assert not dataset.exists()


def test_model_that_did_not_run_has_no_predictions(dataset):
    dataset.save(Deferred("f", lambda: []))
    assert dataset.load().replicates == 0


def test_preview_shows_predictions_of_the_first_replicate(dataset, images):
    dataset.save(Deferred("f", lambda: stream(images)))
    sheet = decode_preview(dataset.preview())
    corners = sheet[6, 6 :: TILE + GAP]
    np.testing.assert_array_equal(corners, images[0, :, 0, 0])


def test_preview_of_a_model_that_did_not_run_is_an_error(dataset):
    dataset.save(Deferred("f", lambda: []))
    with pytest.raises(DatasetError, match="no predictions yet"):
        dataset.preview()
