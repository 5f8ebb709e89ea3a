from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import digest
from image_translation.imaging.decoding import read_image
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.imaging.resizing import fit_image
from image_translation.pairing import arrays
from image_translation.pairing import preparation as module
from image_translation.pairing.preparation import (
    BATCH_SIZE,
    identify_pairs,
    prepare_pairs,
)
from image_translation.sources import list_folder
from tests.pairing.helpers import (
    list_pairs,
    pairing,
    picture,
    preparation,
    single,
    write,
    write_pairs,
)


def split_of(root: Path, settings) -> pd.DataFrame:
    return list_pairs(list_folder(root), settings).assign(split="train")


def prepare(root: Path, settings, split=None, subset="train", **values):
    split = split_of(root, settings) if split is None else split
    folder = root.with_name(f"{root.name}-arrays") / subset
    return prepare_pairs(
        list_folder(root), split, subset, folder, settings, preparation(**values)
    )


def test_pairs_are_in_the_order_of_the_index(tmp_path):
    count = BATCH_SIZE + 5
    write_pairs(tmp_path, {str(number): number for number in range(count)})
    split = split_of(tmp_path, pairing())
    shuffled = split.sample(frac=1, random_state=0)
    pairs = prepare(tmp_path, pairing(), shuffled)
    assert pairs.index["pair_id"].tolist() == split["pair_id"].tolist()
    assert list(pairs.index.columns) == ["pair_id", "group"]
    assert pairs.image_size == 32
    inputs, targets = pairs.inputs, pairs.targets
    assert inputs.shape == targets.shape == (count, 32, 32, 3)
    assert inputs.dtype == targets.dtype == np.uint8
    for place in (0, 7, count - 1):
        for role, images in (("input", inputs), ("target", targets)):
            image = read_image(tmp_path / split[role][place])
            np.testing.assert_array_equal(images[place], fit_image(image, 32, "resize"))


def test_arrays_are_written_in_bounded_batches(tmp_path, monkeypatch):
    write_pairs(tmp_path, {str(n): n for n in range(BATCH_SIZE + 1)})
    sizes = []

    def record(folder, index, image_size, batches):
        batches = list(batches)
        sizes.extend(len(inputs) for inputs, _ in batches)
        arrays.write_pairs(folder, index, image_size, batches)

    monkeypatch.setattr(module, "write_pairs", record)
    for _ in range(2):
        assert len(prepare(tmp_path, pairing())) == BATCH_SIZE + 1
    assert sizes == [BATCH_SIZE, 1]  # the second time, they are up to date


def test_only_the_requested_subset_is_prepared(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2, "c": 3})
    split = split_of(tmp_path, pairing())
    split["split"] = ["train", "test", "train"]
    pairs = prepare(tmp_path, pairing(), split, "test")
    assert pairs.index["pair_id"].tolist() == [split["pair_id"][1]]
    assert len(pairs.inputs) == 1


def test_recipe_derives_the_input(tmp_path):
    write(tmp_path / "a.png", 1)
    pairs = prepare(tmp_path, single())
    inputs, targets = pairs.inputs, pairs.targets
    np.testing.assert_array_equal(inputs[0], grayscale(targets[0]))
    photo = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(targets[0], fit_image(photo, 32, "resize"))


def test_halves_are_resized_separately(tmp_path):
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, :64] = 255
    write(tmp_path / "a.png", image)
    settings = pairing(layout="side_by_side", input="left", target=None)
    pairs = prepare(tmp_path, settings)
    inputs, targets = pairs.inputs, pairs.targets
    assert (inputs == 255).all()  # nothing of the other half bleeds in
    assert (targets == 0).all()


def test_images_of_different_size_are_resized_to_one_size(tmp_path):
    write_pairs(tmp_path, {"a": 1})
    write(tmp_path / "out/a.png", picture(2, 50, 40))
    pairs = prepare(tmp_path, pairing(), fit="crop")
    inputs, targets = pairs.inputs, pairs.targets
    assert inputs.shape == targets.shape == (1, 32, 32, 3)


def test_file_damaged_after_the_audit_is_reported(tmp_path):
    write_pairs(tmp_path, {"a": 1})
    split = split_of(tmp_path, pairing())
    (tmp_path / "out/a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"out/a\.png.*empty file.*run again"):
        prepare(tmp_path, pairing(), split)


class TestFingerprint:
    def test_does_not_depend_on_location_and_names_of_files(self, tmp_path):
        write_pairs(tmp_path / "one", {"a": 1, "b": 2})
        write_pairs(tmp_path / "two", {"y": 2, "z": 1})
        one = prepare(tmp_path / "one", pairing())
        two = prepare(tmp_path / "two", pairing())
        assert one.fingerprint == two.fingerprint == two.fingerprint

    def test_depends_on_the_content_of_the_arrays(self, tmp_path):
        write_pairs(tmp_path, {"a": 1, "b": 2})
        split = split_of(tmp_path, pairing())
        variants = [
            prepare(tmp_path, pairing()),
            prepare(tmp_path, pairing(), size=64),
            prepare(tmp_path, pairing(), fit="pad"),
            prepare(tmp_path, pairing(direction="reversed")),
            prepare(tmp_path, pairing(), split.head(1)),
            prepare(tmp_path, pairing(), split.assign(group="g")),
        ]
        write(tmp_path / "in/a.png", 9)
        variants.append(prepare(tmp_path, pairing()))
        assert len({pairs.fingerprint for pairs in variants}) == len(variants)

    def test_is_computed_without_opening_files(self, tmp_path):
        write_pairs(tmp_path, {"a": 1})
        split = split_of(tmp_path, pairing())
        before = prepare(tmp_path, pairing(), split).fingerprint
        (tmp_path / "in/a.png").write_bytes(b"")
        assert prepare(tmp_path, pairing(), split).fingerprint == before


class TestIdentity:
    def test_depends_on_the_pairs_and_their_preparation(self):
        one = identify_pairs(["a", "b"], pairing(), preparation())
        assert one == identify_pairs(["b", "a"], pairing(), preparation())
        others = [
            identify_pairs(["a"], pairing(), preparation()),
            identify_pairs(["a", "b"], pairing(), preparation(size=64)),
            identify_pairs(["a", "b"], single(recipe="cartoon"), preparation()),
        ]
        assert len({one, *others}) == 4


def test_white_defines_the_range_of_the_arrays(tmp_path):
    for folder, level in (("in", 0), ("out", 4095)):
        write(tmp_path / folder / "a.png", np.full((8, 8), level, np.uint16))
    assert prepare(tmp_path, pairing()).targets.max() == 16
    assert prepare(tmp_path, pairing(), white=4095).targets.min() == 255


def test_test_set_depends_on_white_only_if_it_is_set():
    ids = ["b", "a"]
    before_the_field = digest(["a", "b"], {"image_size": 32, "fit": "resize"}, "")
    assert identify_pairs(ids, pairing(), preparation()) == before_the_field[:16]
    changed = identify_pairs(ids, pairing(), preparation(white=4095))
    assert changed != before_the_field[:16]
