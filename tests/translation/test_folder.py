import csv
import errno
import io
import os
import re

import numpy as np
import pytest
from PIL import ExifTags, Image

from image_translation.common.errors import InputError
from image_translation.translation import folder as module
from image_translation.translation.encoded_images import translate_encoded
from image_translation.translation.folder import list_photos, translate_folder
from tests.translation.conftest import make_colorizer, make_translator

FORMS = [
    ("RGB", "JPEG", "jpg"),
    ("L", "JPEG", "JPG"),
    ("CMYK", "JPEG", "jpeg"),
    ("RGB", "PNG", "png"),
    ("RGBA", "PNG", "png"),
    ("L", "PNG", "png"),
    ("LA", "PNG", "png"),
    ("P", "PNG", "png"),
    ("1", "PNG", "png"),
    ("I;16", "PNG", "png"),
    ("I;16", "TIFF", "tif"),
    ("RGB", "TIFF", "tiff"),
    ("CMYK", "TIFF", "tif"),
    ("L", "BMP", "bmp"),
    ("P", "GIF", "gif"),
    ("RGB", "WEBP", "webp"),
    ("RGBA", "WEBP", "webp"),
    ("L", "PPM", "pgm"),
    ("RGB", "PPM", "ppm"),
]


def write_photo(path, mode="RGB", form="PNG", size=(40, 30), orientation=1, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (3, 4), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        image = image.convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    holds_exif = form in {"JPEG", "PNG", "TIFF", "WEBP"}
    image.save(path, form, **({"exif": exif} if holds_exif and orientation > 1 else {}))


def translate(source, output, **translators):
    return translate_folder(list_photos(source, output), output, translators, "Test")


def tree(path):
    return sorted(
        p.relative_to(path).as_posix()
        for p in path.rglob("*")
        if p.is_file() and "index_files" not in p.parts
    )


@pytest.fixture
def source(tmp_path):
    for number, name in enumerate(["a.png", "b/c.png", "b/d.png"]):
        write_photo(tmp_path / "in" / name, seed=number)
    return tmp_path / "in"


@pytest.fixture
def many(tmp_path):
    """100 photographs of mixed size, mode, format and orientation; five are broken."""
    sizes = {}
    for number in range(95):
        mode, form, suffix = FORMS[number % len(FORMS)]
        size = (17 + 5 * (number % 13), 20 + 7 * (number % 11))
        orientation = 1 + number % 8 if form in {"JPEG", "PNG", "TIFF", "WEBP"} else 1
        name = f"{'abc'[number % 3]}/photo {number} ü.{suffix}"
        write_photo(tmp_path / "in" / name, mode, form, size, orientation, number)
        sizes[name] = size[::-1] if orientation > 4 else size
    broken = tmp_path / "in" / "b"
    whole = (tmp_path / "in" / "a" / "photo 0 ü.jpg").read_bytes()
    (broken / "text.png").write_text("not an image")
    (broken / "empty.jpg").write_bytes(b"")
    (broken / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    noise = bytearray((tmp_path / "in" / "a" / "photo 3 ü.png").read_bytes())
    noise[60:90] = b"\xff" * 30
    (broken / "damaged.png").write_bytes(noise)
    huge = b"P5 90000 90000 255\n" + bytes(100)
    (broken / "huge.pgm").write_bytes(huge)
    (tmp_path / "in" / "notes.txt").write_text("no image, and none of our business")
    return tmp_path / "in", sizes


def test_95_of_100_mixed_photographs_are_translated_and_5_reported(many, tmp_path):
    source, sizes = many
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    assert sorted(failure.input for failure in outcome.failures) == [
        "b/cut.jpg",
        "b/damaged.png",
        "b/empty.jpg",
        "b/huge.pgm",
        "b/text.png",
    ]
    made = [result for result in outcome.results if result.status == "translated"]
    assert {result.input for result in made} == set(sizes)
    for result in made:
        with Image.open(tmp_path / "out" / result.output) as image:
            assert image.size == sizes[result.input] == (result.width, result.height)
            assert image.mode in {"RGB", "RGBA"}
            colours = np.asarray(image.convert("RGB")).astype(int)
            if result.mode != "1":  # black and white have no room for colour
                assert np.ptp(colours, axis=2).max() > 10, result.input
            assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["status"] for row in table].count("failed") == 5
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert page.count("<img") == 2 * 95
    assert "b/huge.pgm" in page and "more than 89,478,485 pixels" in page


def test_names_and_sub_folders_are_preserved(source, tmp_path):
    translate(source, tmp_path / "out", unet=make_colorizer())
    assert tree(tmp_path / "out") == [
        ".translations.jsonl",
        "a.png",
        "b/c.png",
        "b/d.png",
        "index.html",
        "results.csv",
    ]


def test_suffix_changes_only_with_the_format_and_without_collisions(tmp_path):
    source = tmp_path / "in"
    write_photo(source / "alone.gif", "P", "GIF")
    write_photo(source / "lying.jpg", "RGB", "PNG")
    write_photo(source / "x.gif", "P", "GIF")
    write_photo(source / "x.bmp", "L", "BMP")
    write_photo(source / "x.png")
    write_photo(source / "y.gif", "P", "GIF")
    write_photo(source / "Y.pgm", "L", "PPM")
    write_photo(source / "y.gif.png")
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    assert {result.input: result.output for result in outcome.results} == {
        "alone.gif": "alone.png",
        "lying.jpg": "lying.png",
        "x.gif": "x.gif.png",
        "x.bmp": "x.bmp",
        "x.png": "x.png",
        "y.gif": "y.gif-1.png",
        "Y.pgm": "Y.pgm.ppm",
        "y.gif.png": "y.gif.png",
    }
    assert len({result.output.casefold() for result in outcome.results}) == 8


def test_one_file_is_translated(source, tmp_path):
    outcome = translate(source / "b" / "c.png", tmp_path / "out", unet=make_colorizer())
    assert [result.output for result in outcome.results] == ["c.png"]


def test_every_model_has_a_folder_of_its_own(source, tmp_path):
    outcome = translate(
        source, tmp_path / "out", unet=make_colorizer(0), pix2pix=make_colorizer(1)
    )
    assert len(outcome.results) == 6
    assert (tmp_path / "out/unet/b/c.png").is_file()
    one, other = (tmp_path / f"out/{model}/a.png" for model in ("unet", "pix2pix"))
    assert one.read_bytes() != other.read_bytes()
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert page.count("<img") == 3 * 3


def test_output_equals_translate_encoded(source, tmp_path):
    translate(source, tmp_path / "out", unet=make_colorizer())
    expected = translate_encoded(make_colorizer(), (source / "a.png").read_bytes())
    assert (tmp_path / "out" / "a.png").read_bytes() == expected


def test_up_to_date_translations_are_skipped(source, tmp_path, monkeypatch):
    output = tmp_path / "out"
    translate(source, output, unet=make_colorizer())
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.png")}
    write_photo(source / "new.png", seed=9)
    outcome = translate(source, output, unet=make_colorizer())
    statuses = {result.input: result.status for result in outcome.results}
    assert statuses.pop("new.png") == "translated"
    assert set(statuses.values()) == {"up to date"}
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    page = (output / "index.html").read_text("utf-8")
    assert page.count("<img") == 2 * 4


def change_input(source, output):
    write_photo(source / "a.png", seed=7)


def delete_output(source, output):
    (output / "a.png").unlink()


def cut_output(source, output):
    (output / "a.png").write_bytes(b"cut")


def delete_preview(source, output):
    for path in (output / "index_files").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "change", [change_input, delete_output, cut_output, delete_preview]
)
def test_changed_photographs_are_translated_again(source, tmp_path, change):
    translate(source, tmp_path / "out", unet=make_colorizer())
    change(source, tmp_path / "out")
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    statuses = {result.input: result.status for result in outcome.results}
    assert statuses["a.png"] == "translated"
    if change is not delete_preview:
        assert statuses["b/c.png"] == "up to date"


@pytest.mark.parametrize(
    "other",
    [make_colorizer(1), make_colorizer(0, scale=2), make_colorizer(0, quality=90)],
)
def test_another_model_or_setting_translates_all_again(source, tmp_path, other):
    translate(source, tmp_path / "out", unet=make_colorizer())
    outcome = translate(source, tmp_path / "out", unet=other)
    assert {result.status for result in outcome.results} == {"translated"}


def test_interrupted_run_resumes(source, tmp_path, monkeypatch):
    def fail_at_second(translator, photo, calls=[]):  # noqa: B006
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(translator, photo)

    whole = module.translate_photo
    monkeypatch.setattr(module, "translate_photo", fail_at_second)
    with pytest.raises(KeyboardInterrupt):
        translate(source, tmp_path / "out", unet=make_colorizer())
    with (tmp_path / "out" / ".translations.jsonl").open("a") as ledger:
        ledger.write('\n{"input": "b/c.p')  # what a cut leaves of a line
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    assert [result.status for result in outcome.results] == [
        "up to date",
        "translated",
        "translated",
    ]
    again = translate(source, tmp_path / "out", unet=make_colorizer())
    assert {result.status for result in again.results} == {"up to date"}


def test_foreign_file_is_not_overwritten(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"precious")
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    assert [failure.input for failure in outcome.failures] == ["a.png"]
    assert "not written by this tool" in outcome.failures[0].reason
    assert (tmp_path / "out" / "a.png").read_bytes() == b"precious"


def test_output_in_the_input_is_not_translated_again(source):
    for _ in range(2):
        outcome = translate(source, source / "translated", unet=make_colorizer())
        assert len(outcome.results) == 3


def test_output_equal_to_the_input_is_an_error(source):
    with pytest.raises(InputError, match="output: .* is the folder of the input"):
        list_photos(source, source)
    with pytest.raises(InputError, match="is the folder of the input"):
        list_photos(source / "a.png", source)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none", "input: the folder .* does not exist"), ("empty", "input: no image in")],
)
def test_input_without_photographs_is_an_error(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        list_photos(tmp_path / name, tmp_path / "out")


def test_unwritable_output_is_an_error(source, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="output: .*out.* cannot be written"):
        translate(source, tmp_path / "out", unet=make_colorizer())


def test_file_that_cannot_be_opened_is_reported(source, tmp_path):
    os.symlink(tmp_path / "nowhere", source / "broken.png")
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    assert [(f.input, f.reason) for f in outcome.failures] == [
        ("broken.png", "cannot be opened: No such file or directory")
    ]


def test_photographs_are_decoded_once_and_one_at_a_time(source, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        module, "read_photo", lambda path, white: read.append(path) or whole(path)
    )
    from image_translation.imaging.photo_files import read_photo as whole

    translate(source, tmp_path / "out", a=make_colorizer(0), b=make_colorizer(1))
    assert len(read) == 3


def test_page_escapes_names_and_links_have_targets(tmp_path):
    source = tmp_path / "in"
    write_photo(source / 'a "quoted" & <b> #1 50%.png')
    translate(source, tmp_path / "out", unet=make_colorizer())
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<b> #1" not in page and "&lt;b&gt; #1 50%.png" in page
    from urllib.parse import unquote

    links = re.findall(r'(?:src|href)="((?!data:|#)[^"]+)"', page)
    assert len(links) == 4
    assert all((tmp_path / "out" / unquote(link)).is_file() for link in links)


def test_transparency_in_previews_is_white(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(source / "a.png")
    translate(source, tmp_path / "out", unet=make_translator(lambda x: x))
    for preview in (tmp_path / "out" / "index_files").iterdir():
        assert np.asarray(Image.open(preview)).min() > 250


def test_previews_are_small(tmp_path):
    write_photo(tmp_path / "in" / "a.jpg", form="JPEG", size=(960, 720))
    translate(tmp_path / "in", tmp_path / "out", unet=make_colorizer())
    for preview in (tmp_path / "out" / "index_files").iterdir():
        assert Image.open(io.BytesIO(preview.read_bytes())).size == (640, 480)


def read_table(output):
    with (output / "results.csv").open(newline="", encoding="utf-8") as file:
        return {row["input"]: row for row in csv.DictReader(file)}


def test_file_that_cannot_be_written_stops_no_other(source, tmp_path):
    output = tmp_path / "out"
    long = "漢" * 83 + ".jpg"  # 253 bytes, without room for the temporary file's name
    write_photo(source / long, form="JPEG")
    longer = long.replace(".jpg", ".gif")  # becomes ….gif.png, of 257 bytes
    write_photo(source / longer, mode="P", form="GIF")
    write_photo(source / "z/1.png")
    output.mkdir()
    (output / "z").write_text("a file in place of a folder")
    outcome = translate(source, output, unet=make_colorizer())
    failed = {result.input: result.reason for result in outcome.failures}
    assert set(failed) == {long, longer, "z/1.png"}
    assert all("cannot be written: " in reason for reason in failed.values())
    assert "File name too long" in failed[long]
    assert {f: row["status"] for f, row in read_table(output).items()} == {
        **dict.fromkeys(("a.png", "b/c.png", "b/d.png"), "translated"),
        **dict.fromkeys(failed, "failed"),
    }
    assert (output / "index.html").is_file()


def test_name_that_is_not_utf8_stops_no_other(source, tmp_path):
    (source / "a.png").rename(os.fsdecode(os.fsencode(source) + b"/\xff.png"))
    outcome = translate(source, tmp_path / "out", unet=make_colorizer())
    (failure,) = outcome.failures
    assert failure.input == r"\xff.png" and "not valid UTF-8" in failure.reason
    assert len(outcome.results) == 3


def test_full_disk_stops_the_translation(source, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "atomic_write", fail)
    with pytest.raises(InputError, match="No space left"):
        translate(source, tmp_path / "out", unet=make_colorizer())


def test_dropped_metadata_and_frames_are_logged_once_with_a_count(tmp_path, caplog):
    frames = [Image.new("RGB", (20, 20), (n, 0, 0)) for n in (0, 200)]
    (tmp_path / "in").mkdir()
    for number in range(3):
        path = tmp_path / "in" / f"{number}.tif"
        frames[0].save(path, save_all=True, append_images=frames[1:])
    for _ in range(2):
        translate(tmp_path / "in", tmp_path / "out", unet=make_colorizer())
    lines = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert lines == ["3 photographs: only the first frame or page is used"]


def test_white_defines_the_range_and_translates_again(tmp_path):
    (tmp_path / "in").mkdir()
    dark = Image.fromarray(np.full((20, 20), 4095, np.uint16))
    dark.save(tmp_path / "in" / "a.png")
    photos = list_photos(tmp_path / "in", tmp_path / "out")
    translators = {"same": make_translator(lambda images: images, strategy="resize")}
    for white, level in ((None, 16), (4095, 255)):
        outcome = translate_folder(photos, tmp_path / "out", translators, "T", white)
        assert outcome.results[0].status == "translated"
        with Image.open(tmp_path / "out" / "a.png") as image:
            assert np.asarray(image).max() == level
