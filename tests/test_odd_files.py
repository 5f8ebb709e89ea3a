"""Five hundred odd files pass through the audit, the translation and the app."""

import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from image_translation.app.deadline import Deadline
from image_translation.app.workbench import _open_photo, _Work
from image_translation.common.errors import InputError
from image_translation.pairing.manifest import build_manifest
from image_translation.sources import list_folder
from image_translation.sources.opening import open_source
from image_translation.translation.folder import list_photos, translate_folder
from tests.pairing.helpers import auditing, pairing
from tests.translation.conftest import make_translator

COUNT = 500
WHITE = 4095
PYTHON = ("Error", "Errno", "object", "argument", "Traceback", "unpack", "index", "0x")
"""Parts of error messages of Python and its libraries."""

FORMS = {
    "bmp": ("1", "L", "P", "RGB"),
    "gif": ("L", "P", "RGB"),
    "jpg": ("L", "RGB", "CMYK"),
    "pgm": ("L",),
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "ppm": ("RGB",),
    "tif": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "webp": ("RGB", "RGBA"),
}
STEMS = ("photo", "사진 {}", "写真ソ", "Übung", "a.b.c", "  spaced ", "x" * 200, "#1 50%", "=1+1", "'q'")  # fmt: skip
"""Parts of names; a number makes each unique."""


def make_image(number: int, mode: str, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(number).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    grey = np.asarray(image.convert("L")) / 255
    if mode in {"I;16", "I", "F"}:
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray((grey * WHITE).astype(kind))
    return image.convert(mode)


def make_metadata(chance: random.Random, suffix: str) -> dict[str, object]:
    """Options of Pillow for metadata, some of which cannot be written again."""
    options: dict[str, object] = {}
    if suffix in {"jpg", "png", "tif", "webp"} and chance.random() < 0.6:
        exif = Image.Exif()
        exif[0x0112] = chance.randint(0, 9)
        exif[0x010F] = "Abc"
        options["exif"] = exif
    if suffix in {"jpg", "png", "tif", "webp"} and chance.random() < 0.2:
        options["icc_profile"] = b"no profile" * 20
    if suffix in {"jpg", "png", "bmp", "tif"} and chance.random() < 0.3:
        options["dpi"] = (72, 72)
    if suffix == "png" and chance.random() < 0.3:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("note", "x" * chance.choice((10, 1_200_000)), zip=True)
        options["pnginfo"] = text
    if suffix in {"gif", "png", "tif", "webp"} and chance.random() < 0.1:
        options["save_all"] = True
    return options


def spoil(chance: random.Random, whole: bytes) -> bytes:
    """Content that cannot be decoded."""
    return chance.choice(
        (
            b"",
            b"no image",
            b"\0\0\0\x18ftypheic" + bytes(200),
            b"\x89PNG\r\n\x1a\n" + bytes(50),
            whole[: min(len(whole) // 3, 30)],
            b"P5 90000 90000 255\n" + bytes(100),
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
        )
    )


def make_unwritable_exif(jpeg: bytes) -> bytes:
    """The JPEG file with a resolution in text, which Pillow reads but cannot write."""
    block = struct.pack("<2sHIHHHI4sI", b"II", 42, 8, 1, 0x11A, 2, 3, b"72\0\0", 0)
    segment = b"Exif\0\0" + block
    return jpeg[:2] + struct.pack(">2sH", b"\xff\xe1", len(segment) + 2) + segment + jpeg[2:]  # fmt: skip


def make_files(count: int) -> Iterator[tuple[str, bytes, bool]]:
    """Name, content, and whether the file is healthy; the same in each call."""
    chance = random.Random(22)
    for number in range(count):
        suffix = chance.choice(list(FORMS))
        mode = chance.choice(FORMS[suffix])
        size = chance.randint(8, 32), chance.randint(8, 32)
        image = make_image(number, mode, size)
        options = make_metadata(chance, suffix)
        if options.get("save_all"):
            options["append_images"] = [make_image(number + 1, mode, size)]
        file = io.BytesIO()
        form = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM"}.get(suffix, suffix.upper())
        image.save(file, form, **options)
        content = file.getvalue()
        if suffix == "jpg" and "exif" not in options:
            content = make_unwritable_exif(content)
        is_healthy = chance.random() < 0.85
        stem = chance.choice(STEMS)
        shown = chance.choice((suffix, suffix.upper(), "png", "heic"))
        name = f"{chance.choice('ab')}/{stem}{number}.{shown}"
        yield name, content if is_healthy else spoil(chance, content), is_healthy


@pytest.fixture(scope="module")
def files() -> list[tuple[str, bytes, bool]]:
    return list(make_files(COUNT))


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory) -> Path:
    """Every file as an input; the targets are healthy and plain."""
    root = tmp_path_factory.mktemp("odd")
    for number, (name, content, _) in enumerate(files):
        path = root / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        target = (root / "out" / name).with_suffix(".bmp")
        target.parent.mkdir(parents=True, exist_ok=True)
        make_image(-number % 9999 + 9999, "RGB", (8, 8)).save(target)
    return root


def is_plain(text: str) -> bool:
    """True if a message has no part of an error of Python."""
    return not any(part in text for part in PYTHON) and "\n" not in text


def test_audit_uses_every_healthy_file_and_names_every_broken_one(files, folder):
    source = list_folder(folder)
    manifest, _ = build_manifest(source, pairing(), auditing(), WHITE)
    rows = manifest.set_index("input")
    for name, _, is_healthy in files:
        row = rows.loc[f"in/{name}"]
        assert (row["verdict"] == "used") == is_healthy, (name, row["reason"])
        assert is_plain(row["reason"]), row["reason"]


def test_translation_makes_every_healthy_file_and_names_every_broken_one(
    files, folder, tmp_path, caplog
):
    translator = make_translator(lambda images: -images, strategy="resize")
    photos = list_photos(folder / "in", tmp_path)
    outcome = translate_folder(photos, tmp_path, {"negative": translator}, "T", WHITE)
    results = {result.input: result for result in outcome.results}
    for name, _, is_healthy in files:
        result = results[name]
        assert (result.status == "translated") == is_healthy, result
        assert is_plain(result.reason)
        if is_healthy:
            with Image.open(tmp_path / result.output) as image:
                assert image.size == (result.width, result.height)
    assert len(pd.read_csv(tmp_path / "results.csv")) == COUNT
    own = [r for r in caplog.records if r.name.startswith("image_translation")]
    assert own and all(is_plain(record.message) for record in own)


def test_app_translates_every_healthy_file_and_names_every_broken_one(
    files, folder, tmp_path
):
    translator = make_translator(lambda images: images, strategy="resize")
    for number, (name, _, is_healthy) in enumerate(files):
        session = tmp_path / str(number)
        session.mkdir()
        path, deadline = folder / "in" / name, Deadline(300)
        if is_healthy:
            photo = _open_photo(path, path.name, deadline, WHITE)
            work = _Work(photo, path.name, session, deadline, translator.settings)
            _, file, _ = work.make(translator, "m", "unet")
            assert file.stat().st_size
        else:
            with pytest.raises(InputError) as caught:
                _open_photo(path, path.name, deadline, WHITE)
            assert is_plain(str(caught.value).removeprefix(path.name))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archive_has_the_files_of_the_folder(files, tmp_path, kind):
    path = tmp_path / f"odd.{kind}"
    if kind == "tar":
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            for name, content, _ in files:
                info = tarfile.TarInfo(f"./in/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content, _ in files:
                archive.writestr(f"in\\{name}".replace("/", "\\"), content)
    source = open_source(str(path), tmp_path / "raw")
    assert {(source.root / file).read_bytes() for file in source.files} == {
        content for _, content, _ in files
    }
    assert len(source.files) == COUNT
