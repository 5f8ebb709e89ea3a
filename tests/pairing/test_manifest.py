import hashlib

import numpy as np
import pandas as pd
import pytest
from kedro_datasets.pandas import CSVDataset
from PIL import Image

from image_translation.pairing.manifest import COLUMNS
from image_translation.sources import Source, list_folder
from tests.pairing.helpers import (
    list_pairs,
    pairing,
    picture,
    row,
    single,
    write,
    write_pairs,
)

# arguments of the catalog, which preserve any file name
CSV = {
    "load_args": {
        "keep_default_na": False,
        "dtype": {column: "str" for column in COLUMNS}
        | {"width": "Int64", "height": "Int64"},
    },
    "save_args": {"index": False, "quoting": 2},
}


def manifest_of(root, **changes) -> pd.DataFrame:
    return list_pairs(list_folder(root), pairing(**changes))


def test_clean_pairs_are_used_without_a_reason(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2, "c": 3})
    manifest = manifest_of(tmp_path)
    assert tuple(manifest.columns) == COLUMNS
    assert len(manifest) == 3
    assert set(manifest["verdict"]) == {"used"}
    assert set(manifest["reason"]) == {""}
    assert set(manifest["width"]) == {16}
    assert set(manifest["height"]) == {12}
    assert manifest["pair_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert manifest["pair_id"].is_monotonic_increasing
    assert (manifest["group"] == manifest["pair_id"]).all()


def test_digests_are_those_of_the_files(tmp_path):
    write_pairs(tmp_path, {"a": 1})
    found = row(manifest_of(tmp_path), "in/a.png")
    for role, file in (("input", "in/a.png"), ("target", "out/a.png")):
        expected = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
        assert found[role] == file
        assert found[f"{role}_sha256"] == expected


def test_missing_partner_is_left_out(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    (tmp_path / "out/b.png").unlink()
    found = row(manifest_of(tmp_path), "in/b.png")
    assert found["verdict"] == "left_out"
    assert found["reason"].startswith("no partner")
    assert found["target"] == found["target_sha256"] == ""
    assert (found["width"], found["height"]) == (16, 12)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unreadable: target (empty file)"),
        (b"hello", "unreadable: target (not an image)"),
        (None, "truncated: target"),
    ],
)
def test_unreadable_file_is_left_out_with_the_reason(tmp_path, content, reason):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    file = tmp_path / "out/b.png"
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    found = row(manifest_of(tmp_path), "out/b.png")
    assert (found["verdict"], found["reason"]) == ("left_out", reason)
    assert found["target_sha256"]


def test_file_that_cannot_be_opened_is_left_out(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    (tmp_path / "in/b.png").unlink()
    (tmp_path / "in/b.png").symlink_to(tmp_path / "gone.png")
    found = row(manifest_of(tmp_path), "in/b.png")
    assert found["reason"].startswith("unreadable: input (cannot be opened: No such")
    assert found["input_sha256"] == ""


def test_two_unreadable_files_are_both_reported(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    for role in ("in", "out"):
        (tmp_path / role / "b.png").write_bytes(role.encode())
    found = row(manifest_of(tmp_path), "in/b.png")
    assert found["reason"].count("unreadable") == 2
    assert pd.isna(found["width"])


def test_one_of_equal_pairs_is_kept(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2, "c": 1, "d": 1})
    manifest = manifest_of(tmp_path)
    equal = manifest[manifest["input"].isin(["in/a.png", "in/c.png", "in/d.png"])]
    assert equal["pair_id"].nunique() == equal["group"].nunique() == 1
    assert equal["verdict"].tolist() == ["used", "left_out", "left_out"]
    assert set(equal["reason"][1:]) == {
        "duplicate pair: the same as the one with target 'out/a.png'"
    }
    assert manifest.loc[manifest["verdict"] == "used", "pair_id"].is_unique


def test_input_equal_to_target_is_left_out(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    write(tmp_path / "out/b.png", 2)
    found = row(manifest_of(tmp_path), "in/b.png")
    assert (found["verdict"], found["reason"]) == ("left_out", "input equals target")


def test_images_of_different_size_are_used_with_a_reason(tmp_path):
    write_pairs(tmp_path, {"a": 1})
    write(tmp_path / "out/a.png", picture(5, 20, 30))
    found = row(manifest_of(tmp_path), "in/a.png")
    assert found["verdict"] == "used"
    assert found["reason"] == "sizes differ: input 16×12, target 30×20"
    assert (found["width"], found["height"]) == (30, 20)


def test_used_pairs_that_share_a_file_are_one_group(tmp_path):
    for name, input_, target in (("a", 1, 10), ("b", 1, 11), ("c", 2, 12)):
        write(tmp_path / f"in/{name}.png", input_)
        write(tmp_path / f"out/{name}.png", target)
    manifest = manifest_of(tmp_path)
    tied = manifest[manifest["input"] != "in/c.png"]
    assert tied["group"].nunique() == 1
    assert tied["group"].iloc[0] == tied["pair_id"].min()
    assert manifest["group"].nunique() == 2
    assert tied["reason"].tolist() == ["repeated input: in 2 pairs"] * 2


def test_excluded_pairs_connect_nothing(tmp_path):
    # a and b share a target, and are left out; each shares its input with another
    for name, input_, target in (
        ("a", 1, 10),
        ("b", 2, 10),
        ("c", 1, 11),
        ("d", 2, 12),
    ):
        write(tmp_path / f"in/{name}.png", input_)
        write(tmp_path / f"out/{name}.png", target)
    manifest = manifest_of(tmp_path)
    used = manifest[manifest["verdict"] == "used"]
    assert set(used["input"]) == {"in/c.png", "in/d.png"}
    assert used["group"].nunique() == 2


def test_groups_of_the_source_are_used(tmp_path):
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        write(tmp_path / f"{name}.png", seed)
    listed = list_folder(tmp_path)
    groups = {"a.png": "zoo", "b.png": "zoo", "c.png": "sea"}
    source = Source("test", tmp_path, listed.files, groups=groups)
    manifest = list_pairs(source, single())
    assert row(manifest, "a.png")["group"] == row(manifest, "b.png")["group"] == "zoo"
    assert row(manifest, "c.png")["group"] == "sea"


def test_every_file_is_accounted_for_once(tmp_path):
    write_pairs(tmp_path, {str(number): number for number in range(6)})
    (tmp_path / "in/0.png").unlink()
    (tmp_path / "out/1.png").write_bytes(b"")
    write(tmp_path / "out/2.png", 2)
    write(tmp_path / "in/3.jpg", 3)
    manifest = manifest_of(tmp_path)
    listed = [file for role in ("input", "target") for file in manifest[role] if file]
    assert sorted(listed) == sorted(list_folder(tmp_path).files)
    assert manifest["verdict"].value_counts().to_dict() == {"left_out": 6, "used": 2}
    assert (manifest.loc[manifest["verdict"] == "left_out", "reason"] != "").all()


def test_order_and_names_of_files_change_only_the_paths(tmp_path):
    names = ["a", "b", "c", "d", "e"]
    write_pairs(tmp_path / "one", {name: seed for seed, name in enumerate(names)})
    write_pairs(
        tmp_path / "two", {f"é {n}": s for s, n in enumerate(reversed("xyzuv"))}
    )
    one, two = manifest_of(tmp_path / "one"), manifest_of(tmp_path / "two")
    paths = ["input", "target"]
    pd.testing.assert_frame_equal(one.drop(columns=paths), two.drop(columns=paths))
    assert (one["input"] != two["input"]).all()


class TestPairId:
    def test_depends_on_the_transform_of_the_files(self, tmp_path):
        write(tmp_path / "a.png", 1)
        source = list_folder(tmp_path)
        halves = {"layout": "side_by_side", "target": None}
        variants = [
            single(),
            single(direction="reversed"),
            pairing(input="left", **halves),
            pairing(input="right", **halves),
        ]
        ids = [list_pairs(source, settings)["pair_id"][0] for settings in variants]
        assert len(set(ids)) == 4
        swapped = pairing(input="right", direction="reversed", **halves)
        assert list_pairs(source, swapped)["pair_id"][0] == ids[2]

    def test_of_a_missing_partner_depends_on_the_paths(self, tmp_path):
        write_pairs(tmp_path, {"a": 1})
        write(tmp_path / "in/b.png", 7)
        write(tmp_path / "in/c.png", 7)
        manifest = manifest_of(tmp_path)
        ids = {row(manifest, f"in/{name}.png")["pair_id"] for name in "bc"}
        assert len(ids) == 2


class TestSideBySide:
    settings = {"layout": "side_by_side", "input": "left", "target": None}

    def test_size_is_that_of_one_half(self, tmp_path):
        write(tmp_path / "a.png", picture(0, 10, 24))
        found = manifest_of(tmp_path, **self.settings).iloc[0]
        assert (found["width"], found["height"]) == (12, 10)
        assert (found["input"], found["target"]) == ("a.png", "a.png")
        assert found["verdict"] == "used"

    def test_odd_width_is_left_out(self, tmp_path):
        write(tmp_path / "a.png", picture(0, 10, 25))
        found = manifest_of(tmp_path, **self.settings).iloc[0]
        assert found["verdict"] == "left_out"
        assert found["reason"] == "unequal halves: the width is 25"

    def test_equal_halves_are_left_out(self, tmp_path):
        write(tmp_path / "a.png", np.tile(picture(0, 10, 12), (1, 2, 1)))
        found = manifest_of(tmp_path, **self.settings).iloc[0]
        assert (found["verdict"], found["reason"]) == (
            "left_out",
            "input equals target",
        )


def test_photo_with_recipe_does_not_equal_its_target(tmp_path):
    write(tmp_path / "a.png", 1)
    manifest = list_pairs(list_folder(tmp_path), single())
    assert manifest["verdict"].tolist() == ["used"]
    assert manifest["input"].tolist() == manifest["target"].tolist() == ["a.png"]


def test_16_bit_and_rotated_images_are_used(tmp_path):
    write_pairs(tmp_path, {"a": 1})
    grey = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) * 300
    Image.fromarray(grey).save(tmp_path / "in/a.png")
    image = Image.fromarray(picture(3, 16, 12))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "out/a.png", exif=exif)
    found = manifest_of(tmp_path).iloc[0]
    assert (found["verdict"], found["reason"]) == ("used", "")


ODD_NAMES = [
    "a, b",
    'quo"te',
    "new\nline",
    "return\r",
    "<script>alert(1)</script>".replace("/", "∕"),
    "NA",
    "null",
    "007",
    "1e5",
    "=1+1",
    "日本 é",
    " space ",
    "%s {0} $x",
    "a" * 200,
]


def test_odd_file_names_round_trip(tmp_path):
    pairs = {name: seed for seed, name in enumerate(ODD_NAMES)}
    write_pairs(tmp_path / "データ\n,", pairs)
    manifest = manifest_of(tmp_path / "データ\n,")
    assert set(manifest["verdict"]) == {"used"}
    dataset = CSVDataset(filepath=str(tmp_path / "manifest.csv"), **CSV)
    dataset.save(manifest)
    pd.testing.assert_frame_equal(dataset.load(), manifest, check_dtype=False)
    assert set(dataset.load()["input"]) == {f"in/{name}.png" for name in ODD_NAMES}


def test_missing_sizes_round_trip(tmp_path):
    write_pairs(tmp_path, {"a": 1, "b": 2})
    for role in ("in", "out"):
        (tmp_path / role / "b.png").write_bytes(role.encode())
    manifest = manifest_of(tmp_path)
    dataset = CSVDataset(filepath=str(tmp_path / "manifest.csv"), **CSV)
    dataset.save(manifest)
    assert dataset.load()["width"].isna().tolist() == manifest["width"].isna().tolist()
