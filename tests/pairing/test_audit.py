"""The audit on pairs with planted faults of every kind, and on clean pairs."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from image_translation.pairing.findings import KINDS
from image_translation.pairing.manifest import build_manifest, log_findings
from image_translation.sources import list_folder
from tests.pairing.helpers import auditing, pairing, single

CLEAN = 40
SIDE = 64
NEW = 1000  # seeds from here on are of scenes that no clean pair shows


def scene(seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A picture in colour with edges: a smooth background under sharp shapes."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    for _ in range(4):
        top, left = random.integers(0, size[1] - 12), random.integers(0, size[0] - 12)
        colour = random.integers(0, 256, 3, dtype=np.uint8)
        image[top : top + 12, left : left + 12] = colour
    return Image.fromarray(image)


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def save(root, name: str, input_: Image.Image, target: Image.Image) -> None:
    for folder, image in (("in", input_), ("out", target)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        image.save(root / folder / name)


def plant_clean(root, count: int = CLEAN) -> None:
    for seed in range(count):
        save(root, f"{seed:03d}.png", grey(scene(seed)), scene(seed))


def audit(root, **changes) -> tuple[pd.DataFrame, pd.DataFrame]:
    return build_manifest(list_folder(root), pairing(), auditing(**changes))


def counts(findings: pd.DataFrame) -> dict[str, int]:
    return dict(zip(findings["finding"], findings["count"], strict=True))


def bomb() -> bytes:
    """A PNG of 50,000×50,000 pixels in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + rows + chunk(b"IEND", b"")


class Planter:
    """Adds pairs of scenes that do not occur in clean pairs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seed = NEW

    def pair(self, name: str, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
        self.seed += 1
        target = scene(self.seed).resize(size)
        save(self.root, f"{name}.png", grey(target), target)
        return target

    def spoil(self, name: str, content: bytes) -> None:
        self.pair(name)
        (self.root / f"out/{name}.png").write_bytes(content)

    def copy(self, folder: str, name: str, copy: str) -> None:
        content = (self.root / folder / f"{name}.png").read_bytes()
        (self.root / folder / f"{copy}.png").write_bytes(content)

    def plant_files_that_cannot_be_used(self) -> None:
        self.spoil("empty", b"")
        self.spoil("text", b"no image")
        self.spoil("bomb", bomb())
        self.pair("short")
        whole = (self.root / "out/short.png").read_bytes()
        (self.root / "out/short.png").write_bytes(whole[: len(whole) // 2])
        self.pair("alone")
        os.remove(self.root / "out/alone.png")

    def plant_repetitions(self) -> None:
        self.pair("twice")
        self.copy("in", "twice", "again")
        self.copy("out", "twice", "again")
        equal = self.pair("equal")
        save(self.root, "equal.png", equal, equal)
        for name in ("one", "two", "three"):
            self.pair(f"target {name}")
            self.copy("out", "target one", f"target {name}")
        for name in ("one", "two"):
            self.pair(f"input {name}")
            self.copy("in", "input one", f"input {name}")
        soft = self.pair("near").filter(ImageFilter.GaussianBlur(0.6))
        save(self.root, "near copy.png", grey(soft), soft)

    def plant_pairs_that_do_not_fit(self) -> None:
        moved = self.pair("moved")
        shifted = Image.fromarray(np.roll(np.asarray(grey(moved)), 10, axis=1))
        save(self.root, "moved.png", shifted, moved)
        swapped = self.pair("swapped")
        save(self.root, "swapped.png", swapped, grey(swapped))
        colourless = grey(self.pair("colourless"))
        faded = colourless.point(lambda value: value * 9 // 10)
        save(self.root, "colourless.png", faded, colourless)

    def plant_sizes(self) -> None:
        wide = self.pair("differ")
        save(self.root, "differ.png", grey(wide).resize((SIDE, SIDE // 2)), wide)
        large = self.pair("scaled")
        small = grey(large).resize((SIDE // 2, SIDE // 2))
        save(self.root, "scaled.png", small, large)
        self.pair("odd", (SIDE, 48))
        self.pair("narrow", (SIDE * 4, SIDE // 2))
        self.pair("huge", (SIDE * 8, SIDE * 8))

    def plant_odd_files(self) -> None:
        liar = self.pair("liar")
        liar.save(self.root / "out/liar.png", format="JPEG", quality=95)
        palette = self.pair("palette")
        palette.quantize(256).save(self.root / "out/palette.png")
        turned = self.pair("turned")
        exif = turned.getexif()
        exif[0x0112] = 3
        turned.rotate(180).save(self.root / "out/turned.png", exif=exif)
        moving = self.pair("moving")
        still = {"save_all": True, "append_images": [Image.new("RGB", moving.size)]}
        moving.save(self.root / "out/moving.png", **still)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Clean pairs, and faults of every kind."""
    root = tmp_path_factory.mktemp("planted")
    plant_clean(root)
    planter = Planter(root)
    planter.plant_files_that_cannot_be_used()
    planter.plant_repetitions()
    planter.plant_pairs_that_do_not_fit()
    planter.plant_sizes()
    planter.plant_odd_files()
    return root


def test_every_planted_fault_is_found_and_nothing_else(planted):
    manifest, findings = audit(planted)
    assert counts(findings) == {
        "unreadable": 2,
        "truncated": 1,
        "too_large": 1,
        "no_partner": 1,
        "duplicate_pair": 1,
        "input_equals_target": 1,
        "repeated_target": 3,
        "repeated_input": 2,
        "misaligned": 1 + 2 + 1,  # moved, and where a target or an input is repeated
        "swapped": 1,
        "colourless_target": 2,  # swapped: its target is the grey image
        "sizes_differ": 1,
        "odd_size": 2,
        "extreme_size": 2,
        "wrong_extension": 1,
        "near_duplicates": 2,
        "unusual_mode": 1,
        "exif_orientation": 1,
        "several_frames": 1,
        "sizes_scaled": 1,
    }
    other_layouts = {"unequal_halves", "not_square"}
    of_all_pairs = {"unrelated", "one_sided_orientation", "unused_range"}
    assert set(KINDS) - set(findings["finding"]) == other_layouts | of_all_pairs
    left_out = manifest[manifest["verdict"] == "left_out"]
    assert len(left_out) == 2 + 1 + 1 + 1 + 1 + 1 + 3
    assert len(manifest) == len(list_folder(planted).files) / 2 + 0.5


def test_pairs_with_warnings_have_a_reason(planted):
    manifest, findings = audit(planted)
    severities = dict(zip(findings["finding"], findings["severity"], strict=True))
    kept = manifest[manifest["verdict"] == "used"].set_index("target")["reason"]
    for name in ("turned", "palette", "near", "scaled", "moving"):
        assert kept[f"out/{name}.png"] == ""
    assert kept["out/odd.png"] == f"odd size: {SIDE}×48, most are {SIDE}×{SIDE}"
    swapped = set(kept["out/swapped.png"].split("; "))
    assert swapped == {"swapped", "colourless target"}
    assert severities["near_duplicates"] == "info"


def test_near_duplicates_are_one_group(planted):
    manifest, _ = audit(planted)
    groups = manifest.set_index("target")["group"]
    assert groups["out/near.png"] == groups["out/near copy.png"]
    apart, _ = audit(planted, near_duplicates=False)
    groups = apart.set_index("target")["group"]
    assert groups["out/near.png"] != groups["out/near copy.png"]


def test_excluded_findings_are_a_parameter(planted):
    manifest, findings = audit(planted, leave_out="swapped|colourless_target")
    verdicts = manifest.set_index("target")["verdict"]
    assert verdicts["out/swapped.png"] == verdicts["out/colourless.png"] == "left_out"
    assert verdicts["out/equal.png"] == "used"
    actions = dict(zip(findings["finding"], findings["action"], strict=True))
    assert actions["swapped"] == "left out"
    assert actions["input_equals_target"] == "kept"


@pytest.mark.parametrize(
    "translate",
    [
        grey,
        lambda image: image.filter(ImageFilter.FIND_EDGES),
        lambda image: image.quantize(4).convert("RGB"),
        lambda image: Image.eval(image, lambda value: 255 - value),
        lambda image: image.resize((32, 32)),
    ],
    ids=["grey", "edges", "labels", "negative", "smaller"],
)
@pytest.mark.parametrize("direction", ["forward", "reversed"])
def test_clean_data_has_no_findings_above_info(tmp_path, translate, direction):
    for seed in range(CLEAN):
        image = scene(seed)
        save(tmp_path, f"{seed}.png", translate(image), image)
    source = list_folder(tmp_path)
    _, findings = build_manifest(source, pairing(direction=direction), auditing())
    assert set(findings["severity"]) <= {"info"}


def test_photos_of_many_shapes_give_no_warning(tmp_path):
    for seed, size in enumerate([(64, 48), (48, 64), (64, 64), (80, 45)] * 5):
        scene(seed, size).save(tmp_path / f"{seed}.png")
    _, findings = build_manifest(list_folder(tmp_path), single(), auditing())
    assert counts(findings) == {"not_square": 15}


def test_few_pairs_have_no_outliers(tmp_path):
    plant_clean(tmp_path, 4)
    save(tmp_path, "grey.png", scene(90), grey(scene(91)))
    assert audit(tmp_path)[1].empty


def test_equal_pixels_are_equal_whatever_the_file(tmp_path):
    plant_clean(tmp_path, 12)
    for number in range(4):
        target = Image.open(tmp_path / f"out/{number:03d}.png")
        kind = ("bmp", "tif", "webp", "png")[number]
        path = tmp_path / f"in/{number:03d}.png"
        path.unlink()
        options = {"lossless": True} if kind == "webp" else {}
        options |= {"dpi": (72, 72), "compress_level": 1} if kind == "png" else {}
        target.save(path.with_suffix(f".{kind}"), **options)
    for folder in ("in", "out"):  # a pair, and a target, in another format
        Image.open(tmp_path / f"{folder}/005.png").save(tmp_path / folder / "again.bmp")
    save(tmp_path, "other.png", grey(scene(NEW)), scene(NEW))
    Image.open(tmp_path / "out/006.png").save(tmp_path / "out/other.tif")
    (tmp_path / "out/other.png").unlink()
    manifest, findings = audit(tmp_path, near_duplicates=False)
    found = counts(findings)
    assert found["input_equals_target"] == 4
    assert found["duplicate_pair"] == 1
    assert found["repeated_target"] == 2


def warnings_of(root, **changes) -> dict[str, str]:
    _, findings = build_manifest(list_folder(root), pairing(**changes), auditing())
    rows = findings[findings["severity"] == "warning"]
    return dict(zip(rows["finding"], rows["explanation"], strict=True))


def test_orientation_of_one_side_alone_is_a_warning_if_the_images_disagree(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for seed in range(12):
        image = scene(seed)
        save(tmp_path / "lost", f"{seed}.jpg", grey(image), image)
        grey(image).save(tmp_path / f"lost/in/{seed}.jpg", exif=exif)
        save(tmp_path / "good", f"{seed}.jpg", grey(image), image)
        turned = grey(image).transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / f"good/in/{seed}.jpg", exif=exif)
    found = warnings_of(tmp_path / "lost")
    assert set(found) == {"unrelated", "one_sided_orientation"}
    assert found["unrelated"].startswith("The median correlation of edges is")
    assert not warnings_of(tmp_path / "good")


def three_in_a_row(image):
    row = Image.new("RGB", (3 * SIDE, SIDE))
    for place, part in enumerate((grey(image), image, image.rotate(180))):
        row.paste(part, (place * SIDE, 0))
    return row


def one_above_the_other(image):
    column = Image.new("RGB", (SIDE, 2 * SIDE))
    column.paste(grey(image), (0, 0))
    column.paste(image, (0, SIDE))
    return column


@pytest.mark.parametrize("arrange", [three_in_a_row, one_above_the_other])
def test_halves_that_agree_in_no_pair_are_a_warning(tmp_path, arrange):
    for seed in range(20):
        arrange(scene(seed)).save(tmp_path / f"{seed}.png")
    assert "unrelated" in warnings_of(tmp_path, layout="side_by_side", input="left")


def plant_deep(root, factor, kind):
    for seed in range(12):
        levels = np.asarray(scene(seed).convert("L"), np.float32)
        for folder, values in (("in", 255 - levels), ("out", levels)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            deep = Image.fromarray((values * factor).astype(kind))
            deep.save(root / folder / f"{seed}.tif")


@pytest.mark.parametrize(
    ("factor", "kind", "white"),
    [(4, np.uint16, 1023), (16, np.uint16, 4095), (64, np.uint16, 16383)],
)
def test_bits_that_no_file_uses_are_a_warning_with_the_parameter(
    tmp_path, factor, kind, white, caplog
):
    plant_deep(tmp_path, factor, kind)
    manifest, findings = build_manifest(list_folder(tmp_path), pairing(), auditing())
    (row,) = findings[findings["finding"] == "unused_range"].to_dict("records")
    assert f"possibly preparation.white={white}" in row["explanation"]
    log_findings(manifest, findings)
    assert "brightest value of all inputs is" in caplog.text
    _, findings = build_manifest(list_folder(tmp_path), pairing(), auditing(), white)
    assert "unused_range" not in set(findings["finding"])


@pytest.mark.parametrize(("factor", "kind"), [(257, np.uint16), (1 / 255, np.float32)])
def test_full_range_is_no_warning(tmp_path, factor, kind):
    plant_deep(tmp_path, factor, kind)
    manifest, findings = build_manifest(list_folder(tmp_path), pairing(), auditing())
    assert set(findings["finding"]) == {"unusual_mode"}
    assert set(manifest["verdict"]) == {"used"}
