import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from image_translation.common.errors import InputError
from image_translation.imaging import sample_photographs as photographs
from image_translation.imaging.decoding import read_image
from image_translation.imaging.sample_photographs import (
    MAX_CROP_SIZE,
    PHOTOGRAPHS,
    Photograph,
    subset_of,
    write_crops,
)


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("crops")
    return folder, write_crops(folder)


@pytest.mark.parametrize("photo", PHOTOGRAPHS, ids=lambda photo: photo.name)
def test_every_photograph_is_a_colour_photograph_with_a_credit(photo):
    image = read_image(photo.path).astype(int)
    assert min(image.shape[:2]) >= 300
    assert (np.ptp(image, axis=2) > 10).mean() > 0.2
    assert photo.credit


def test_held_out_photographs_are_named():
    subsets = Counter(subset_of(photo.name) for photo in PHOTOGRAPHS)
    assert subsets == {"train": 4, "validation": 1, "test": 3}
    known = {photo.name for photo in PHOTOGRAPHS}
    assert known >= {
        *photographs.TEST_PHOTOGRAPHS,
        *photographs.VALIDATION_PHOTOGRAPHS,
    }


def test_number_of_crops_suits_a_laptop(crops):
    _, groups = crops
    subsets = Counter(subset_of(photo) for photo in groups.values())
    assert 250 <= subsets["train"] <= 300
    assert 20 <= subsets["test"] <= 30
    assert subsets["validation"] >= 8


def test_photographs_give_similar_numbers_of_crops(crops):
    _, groups = crops
    counts = Counter(groups.values())
    train = [n for photo, n in counts.items() if subset_of(photo) == "train"]
    assert max(train) <= 1.3 * min(train)


def test_returned_files_are_the_written_files(crops):
    folder, groups = crops
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert written == set(groups)
    assert all(file.split("/")[0] == photo for file, photo in groups.items())


def test_crops_are_square_small_and_not_empty(crops):
    folder, groups = crops
    for file in list(groups)[::7]:
        crop = read_image(folder / file)
        assert crop.shape[0] == crop.shape[1] <= MAX_CROP_SIZE
        assert crop.std() > 3


def test_full_height_crop_shows_the_photograph(crops):
    folder, _ = crops
    photo = next(photo for photo in PHOTOGRAPHS if photo.name == "astronaut")
    crop = read_image(folder / "astronaut/astronaut-100-0-0.png").astype(float)
    halved = read_image(photo.path).reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop - halved).mean() < 3


def test_crops_are_reproducible(crops, tmp_path, monkeypatch):
    folder, groups = crops
    monkeypatch.setattr(photographs, "PHOTOGRAPHS", PHOTOGRAPHS[1:2])
    again = write_crops(tmp_path)
    assert set(again) <= set(groups)
    assert [digest(tmp_path / f) for f in again] == [digest(folder / f) for f in again]


def test_missing_package_or_file_is_reported():
    with pytest.raises(InputError, match="no_such_package"):
        _ = Photograph("x", "no_such_package", "x.png", "x").path
    with pytest.raises(InputError, match=r"data/none\.png"):
        _ = Photograph("x", "skimage", "data/none.png", "x").path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
