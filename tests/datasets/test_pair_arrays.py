import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.datasets.pair_arrays import (
    PairArraysDataset,
    ScoredPairsDataset,
)
from image_translation.imaging.contact_sheet import GAP
from image_translation.pairing.arrays import ScoredPairs, write_pairs
from tests.datasets.previews import TILE, decode_preview

SIZES = (3, 3, 1)
IDS = [f"{number:016d}" for number in range(sum(SIZES))]


def batches(seed: int = 0):
    generator = np.random.default_rng(seed)
    for size in SIZES:
        both = generator.integers(0, 256, (2, size, 8, 8, 3), dtype=np.uint8)
        yield both[0], both[1]


INDEX = pd.DataFrame({"pair_id": IDS, "group": ["NA", "1", "x,y", *"abcd"]})


def fill(folder, fingerprint="f", seed=0):
    """Write arrays as their node does."""
    Stamp(folder).update(
        fingerprint, lambda: write_pairs(folder, INDEX, 8, batches(seed))
    )


@pytest.fixture
def dataset(tmp_path) -> PairArraysDataset:
    return PairArraysDataset(filepath=str(tmp_path / "colorization/train"))


def test_round_trip(dataset):
    fill(dataset._filepath)
    loaded = dataset.load()
    inputs, targets = (np.concatenate(side) for side in zip(*batches(), strict=True))
    np.testing.assert_array_equal(loaded.inputs, inputs)
    np.testing.assert_array_equal(loaded.targets, targets)
    assert loaded.index["pair_id"].tolist() == IDS
    assert loaded.index["group"].tolist()[:3] == ["NA", "1", "x,y"]
    assert len(loaded) == 7
    assert loaded.image_size == 8


def test_fingerprint_is_that_of_the_content(dataset, tmp_path):
    fill(dataset._filepath)
    fill(tmp_path / "same", "g")
    fill(tmp_path / "other", seed=1)
    same, other = (
        PairArraysDataset(filepath=str(tmp_path / name)).load().fingerprint
        for name in ("same", "other")
    )
    assert dataset.load().fingerprint == same != other


def test_arrays_are_mapped_not_read(dataset):
    fill(dataset._filepath)
    loaded = dataset.load()
    assert isinstance(loaded.inputs, np.memmap)
    assert not loaded.targets.flags.writeable


def test_files_have_the_documented_names(dataset, tmp_path):
    fill(dataset._filepath)
    names = {path.name for path in (tmp_path / "colorization/train").iterdir()}
    assert names == {"inputs.npy", "targets.npy", "index.csv", "fingerprint.json"}


def test_saving_checks_that_the_arrays_are_in_the_folder(dataset, tmp_path):
    fill(dataset._filepath)
    dataset.save(dataset.load())
    fill(tmp_path / "other", seed=1)
    with pytest.raises(DatasetError, match="does not contain"):
        dataset.save(PairArraysDataset(filepath=str(tmp_path / "other")).load())


def test_existence_and_description(dataset):
    assert not dataset.exists()
    fill(dataset._filepath)
    assert dataset.exists()
    assert "colorization/train" in str(dataset)


def test_preview_shows_inputs_above_their_targets(dataset):
    fill(dataset._filepath)
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
        fill(folder / side, side, number)
    dataset = ScoredPairsDataset(filepath=str(folder / "scored_pairs.json"))
    with pytest.raises((DatasetError, InputError), match="tags=preparation"):
        dataset.load()
    for side in ("validation", "test"):
        pairs = PairArraysDataset(filepath=str(folder / side)).load()
        dataset.save(ScoredPairs(**vars(pairs), subset=side, test_set="t"))
        loaded = dataset.load()
        assert (loaded.subset, loaded.test_set) == (side, "t")
        assert loaded.fingerprint == pairs.fingerprint
        assert loaded.is_sealed == (side == "validation")
        np.testing.assert_array_equal(loaded.inputs, pairs.inputs)
