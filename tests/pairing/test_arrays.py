import numpy as np
import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.pairing.arrays import (
    PairArrays,
    check_unchanged,
    read_pairs,
    write_pairs,
)

INDEX = pd.DataFrame({"pair_id": list("abc"), "group": list("xyx")})


def batches(seed):
    generator = np.random.default_rng(seed)
    for size in (2, 1):
        both = generator.integers(0, 256, (2, size, 8, 8, 3), dtype=np.uint8)
        yield both[0], both[1]


def fill(folder, fingerprint, stream):
    Stamp(folder).update(fingerprint, lambda: write_pairs(folder, INDEX, 8, stream))


def test_arrays_of_an_open_reader_survive_new_ones(tmp_path):
    fill(tmp_path, "f", batches(0))
    first = read_pairs(tmp_path)
    before, kept = first.inputs, first.inputs.copy()
    fill(tmp_path, "g", batches(1))
    assert read_pairs(tmp_path).fingerprint != first.fingerprint
    assert (np.asarray(read_pairs(tmp_path).inputs) != kept).any()
    np.testing.assert_array_equal(before, kept)


def test_interrupted_preparation_starts_cleanly(tmp_path):
    def cut_off():
        yield next(batches(0))
        raise KeyboardInterrupt

    folder = tmp_path / "colorization/train"
    fill(folder, "f", batches(0))
    with pytest.raises(KeyboardInterrupt):
        fill(folder, "g", cut_off())
    with pytest.raises(InputError, match=r"no prepared pairs.*--pipeline=colorization"):
        read_pairs(folder)
    fill(folder, "g", batches(0))
    np.testing.assert_array_equal(read_pairs(folder).inputs[:2], next(batches(0))[0])
    names = {path.name for path in folder.iterdir()}
    assert names == {"inputs.npy", "targets.npy", "index.csv", "fingerprint.json"}


def test_arrays_that_change_while_in_use_are_an_error(tmp_path):
    fill(tmp_path, "f", batches(0))
    pairs = read_pairs(tmp_path)
    check_unchanged(pairs, PairArrays(np.zeros(1), np.zeros(1), INDEX, "in memory"))
    fill(tmp_path, "g", batches(1))
    with pytest.raises(InputError, match="was changed while it was in use"):
        check_unchanged(read_pairs(tmp_path), pairs)
