import logging

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import Deferred
from image_translation.datasets.pair_arrays import (
    PairArraysDataset,
    ScoredPairsDataset,
)
from image_translation.imaging.contact_sheet import GAP
from image_translation.pairing.arrays import ScoredPairs
from image_translation.pairing.preparation import PairStream
from tests.datasets.previews import TILE, decode_preview

SIZES = (3, 3, 1)
IDS = [f"{number:016d}" for number in range(sum(SIZES))]


def batches(seed: int = 0):
    generator = np.random.default_rng(seed)
    for size in SIZES:
        both = generator.integers(0, 256, (2, size, 8, 8, 3), dtype=np.uint8)
        yield both[0], both[1]


def deferred(fingerprint: str = "f", make=batches) -> Deferred[PairStream]:
    index = pd.DataFrame({"pair_id": IDS, "group": ["NA", "1", "x,y", *"abcd"]})
    return Deferred(fingerprint, lambda: PairStream(fingerprint, index, 8, make))


@pytest.fixture
def dataset(tmp_path) -> PairArraysDataset:
    return PairArraysDataset(filepath=str(tmp_path / "colorization/train"))


def test_round_trip(dataset):
    dataset.save(deferred())
    loaded = dataset.load()
    inputs, targets = (np.concatenate(side) for side in zip(*batches(), strict=True))
    np.testing.assert_array_equal(loaded.inputs, inputs)
    np.testing.assert_array_equal(loaded.targets, targets)
    assert loaded.index["pair_id"].tolist() == IDS
    assert loaded.index["group"].tolist()[:3] == ["NA", "1", "x,y"]
    assert loaded.fingerprint == "f"
    assert len(loaded) == 7
    assert loaded.image_size == 8


def test_arrays_are_mapped_not_read(dataset):
    dataset.save(deferred())
    loaded = dataset.load()
    assert isinstance(loaded.inputs, np.memmap)
    assert not loaded.targets.flags.writeable


def test_files_have_the_documented_names(dataset, tmp_path):
    dataset.save(deferred())
    names = {path.name for path in (tmp_path / "colorization/train").iterdir()}
    assert names == {"inputs.npy", "targets.npy", "index.csv", "fingerprint.json"}


def test_same_fingerprint_is_skipped_and_logged(dataset, caplog):
    caplog.set_level(logging.INFO)
    dataset.save(deferred())
    dataset.save(Deferred("f", lambda: pytest.fail("written again")))
    assert "colorization/train is up to date" in caplog.text


def test_other_fingerprint_writes_the_arrays_again(dataset):
    dataset.save(deferred())
    before = dataset.load().inputs
    kept = before.copy()
    dataset.save(deferred("g", lambda: batches(seed=1)))
    assert dataset.load().fingerprint == "g"
    assert (np.asarray(dataset.load().inputs) != kept).any()
    np.testing.assert_array_equal(before, kept)  # whoever has them mapped keeps them


def test_interrupted_preparation_starts_cleanly(dataset):
    def cut_off():
        yield next(batches())
        raise KeyboardInterrupt

    dataset.save(deferred())
    with pytest.raises(KeyboardInterrupt):
        dataset.save(deferred("g", cut_off))
    assert not dataset.exists()
    with pytest.raises(
        DatasetError, match=r"no prepared pairs.*--tags=ingestion,splitting,prep"
    ):
        dataset.load()
    dataset.save(deferred("g"))
    np.testing.assert_array_equal(dataset.load().inputs[:3], next(batches())[0])


def test_existence_and_description(dataset):
    assert not dataset.exists()
    dataset.save(deferred())
    assert dataset.exists()
    assert "colorization/train" in str(dataset)


def test_preview_shows_inputs_above_their_targets(dataset):
    dataset.save(deferred())
    sheet = decode_preview(dataset.preview())
    inputs, targets = (np.concatenate(side) for side in zip(*batches(), strict=True))
    middle = TILE // 16  # of the first pixel, enlarged 12 times
    assert sheet[middle, middle].tolist() == inputs[0, 0, 0].tolist()
    below = TILE + GAP + middle
    assert sheet[below, middle].tolist() == targets[0, 0, 0].tolist()


def test_preview_of_missing_pairs_is_an_error(dataset):
    with pytest.raises(DatasetError, match="no prepared pairs"):
        dataset.preview()


def test_scored_pairs_are_those_of_the_given_folder(tmp_path):
    folder = tmp_path / "colorization"
    for number, side in enumerate(("validation", "test")):
        part = PairArraysDataset(filepath=str(folder / side))
        part.save(deferred(side, lambda number=number: batches(number)))
    dataset = ScoredPairsDataset(filepath=str(folder / "scored_pairs.json"))
    with pytest.raises((DatasetError, InputError), match="tags=preparation"):
        dataset.load()
    for side in ("validation", "test"):
        pairs = PairArraysDataset(filepath=str(folder / side)).load()
        dataset.save(ScoredPairs(**vars(pairs), subset=side, test_set="t"))
        loaded = dataset.load()
        assert (loaded.subset, loaded.test_set) == (side, "t")
        assert loaded.fingerprint == side
        assert loaded.is_sealed == (side == "validation")
        np.testing.assert_array_equal(loaded.inputs, pairs.inputs)
