"""Predictions of other programs, matched to pairs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.pairing.external import find_predictions, match_files
from image_translation.pairing.settings import ExternalSettings, PreparationSettings
from image_translation.sources import Source

PREPARATION = PreparationSettings(image_size=32, fit="crop", white=None)
PAIRS = pd.DataFrame(
    [
        ("id0", "a/1.jpg", "b/1.png"),
        ("id1", "a/x/2.jpg", "b/x/2.png"),
        ("id2", "a/y/2.jpg", "b/y/2.png"),
    ],
    columns=["pair_id", "input", "target"],
)


def match(*files: str) -> dict[str, str]:
    return match_files(Source("s", Path("s"), files), PAIRS, "models.m.predictions")


@pytest.mark.parametrize(
    "files",
    [
        ("id0.png", "id1.png", "id2.png"),
        ("a/1.png", "a/x/2.png", "a/y/2.png"),
        ("b/1.tif", "b/x/2.tif", "b/y/2.tif"),
        ("1.png", "b/x/2.png", "id2.png"),
        ("out/1.png", "deep/id1.png", "a/y/2.jpg"),
    ],
)
def test_files_are_matched_by_names_of_pair_input_or_target(files):
    assert match(*files) == dict(zip(("id0", "id1", "id2"), files, strict=True))


def test_names_of_other_systems_are_equal():
    composed, decomposed = "\ud55c.png", "\u1112\u1161\u11ab.png"  # a Korean syllable
    pairs = pd.DataFrame([("id", composed, "")], columns=PAIRS.columns)
    source = Source("s", Path("s"), (decomposed,))
    assert match_files(source, pairs, "p") == {"id": decomposed}


def test_files_of_other_pairs_are_ignored(caplog):
    caplog.set_level("INFO")
    match("id0.png", "id1.png", "id2.png", "id7.png")
    assert "ignoring 1 file in s that belong to no scored pair" in caplog.text


def test_name_that_two_pairs_share_matches_none_of_them():
    with pytest.raises(InputError, match="no prediction for 1 pair of 3: 'a/x/2.jpg'"):
        match("1.png", "2.png", "id2.png")


def test_pair_with_two_predictions_is_an_error():
    with pytest.raises(InputError, match="several .* one pair: '1.png, id0.png'; keep"):
        match("1.png", "id0.png", "id1.png", "id2.png")


@pytest.fixture
def folders(tmp_path):
    """Predictions of two trainings, with sizes of 32 and 40×32 pixels."""
    rng = np.random.default_rng(0)
    for name, width in (("first", 32), ("second", 40)):
        (tmp_path / name).mkdir()
        for pair in PAIRS["pair_id"]:
            pixels = rng.integers(0, 256, (32, width, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{pair}.png")
    return tmp_path


def read(folders, **settings):
    external = ExternalSettings(**settings)
    return [*find_predictions("m", external, PAIRS, PREPARATION).read(batch_size=2)]


def test_images_are_read_in_batches_in_the_order_of_the_pairs(folders):
    batches = read(folders, predictions=f"{folders}/first|{folders}/first")
    assert [(r, start, len(i)) for r, start, i in batches] == [
        (0, 0, 2),
        (0, 2, 1),
        (1, 0, 2),
        (1, 2, 1),
    ]
    second = np.asarray(Image.open(folders / "first/id1.png"))
    np.testing.assert_array_equal(batches[0][2][1], second)


def test_another_size_is_an_error_unless_resizing_is_declared(folders):
    predictions = f"{folders}/second"
    with pytest.raises(InputError, match=r"has 40×32 pixels.*models\.m\.resize=true"):
        read(folders, predictions=predictions)
    batches = read(folders, predictions=predictions, resize=True)
    whole = np.asarray(Image.open(folders / "second/id0.png"))
    np.testing.assert_array_equal(batches[0][2][0], whole[:, 4:36])  # the centre


def test_file_that_is_no_image_is_named(folders):
    (folders / "first/id2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"models\.m\.predictions: .*id2\.png cannot"):
        read(folders, predictions=f"{folders}/first")


def test_missing_folder_is_named(folders):
    with pytest.raises(InputError, match=r"models\.m\.predictions: .*nowhere"):
        read(folders, predictions=f"{folders}/nowhere")


def test_digest_changes_with_a_file(folders):
    external = ExternalSettings(predictions=str(folders / "first"))
    before = find_predictions("m", external, PAIRS, PREPARATION).digests()
    Image.new("RGB", (32, 32)).save(folders / "first/id0.png")
    after = find_predictions("m", external, PAIRS, PREPARATION).digests()
    assert [a == b for a, b in zip(before[0], after[0], strict=True)] == [0, 1, 1]
