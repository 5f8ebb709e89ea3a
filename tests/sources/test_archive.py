import io
import os
import struct
import tarfile
import zipfile

import pytest

from image_translation.common.errors import InputError
from image_translation.sources import archive
from image_translation.sources.archive import is_archive, unpack
from tests.sources.archives import tar_of, zip_of

FILES = {"in/é 1.png": b"one" * 100, "out/é 1.png": b"two" * 100, "top.csv": b"3"}


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def nothing_was_left(tmp_path):
    return not any(path.is_file() for path in (tmp_path / "kept").rglob("*"))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_round_trip(tmp_path, mode):
    path = tar_of(tmp_path / "pairs.data", FILES, mode)
    assert is_archive(path)
    assert contents(unpack(path, tmp_path / "kept")) == FILES


def test_zip_round_trip(tmp_path):
    path = zip_of(tmp_path / "pairs.data", FILES)
    assert is_archive(path)
    assert contents(unpack(path, tmp_path / "kept")) == FILES


def test_unpacked_once_and_again_after_a_change(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "pairs.zip", FILES)
    folder = unpack(path, tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_fill", lambda *_: pytest.fail("unpacked again"))
        assert unpack(path, tmp_path / "kept") == folder
    zip_of(path, {"other.png": b"x"})
    assert contents(unpack(path, tmp_path / "kept")) == {"other.png": b"x"}


@pytest.mark.parametrize(
    "name",
    ["../out.png", "a/../../out.png", "/tmp/out.png", "..\\out.png", "C:\\o.png"],
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_path_outside_the_folder_is_rejected(tmp_path, make, name):
    path = make(tmp_path / "bad.archive", {"good.png": b"x", name: b"evil"})
    with pytest.raises(InputError, match="outside the target folder"):
        unpack(path, tmp_path / "kept")
    assert not list(tmp_path.rglob("out.png"))
    assert not (tmp_path / "kept").exists()


def test_links_are_ignored(tmp_path):
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as file:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
        info = tarfile.TarInfo("link/1.png")
        info.size = 1
        file.addfile(info, io.BytesIO(b"x"))
    folder = unpack(path, tmp_path / "kept")
    assert contents(folder) == {"link/1.png": b"x"}
    assert not (folder / "link").is_symlink()


def test_zipped_link_is_ignored(tmp_path):
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("1.png", "x")
    assert contents(unpack(path, tmp_path / "kept")) == {"1.png": b"x"}


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_too_many_files_are_rejected(tmp_path, make, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    path = make(tmp_path / "many", {f"{n}.png": b"x" for n in range(4)})
    with pytest.raises(InputError, match=r"contains (4|more than 3) files"):
        unpack(path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_million_files_are_rejected_before_listing(tmp_path, monkeypatch):
    path = tmp_path / "million.zip"
    central = 46 * 1_000_000
    zip64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, central, 0
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, central, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 0, 0)
    with path.open("wb") as file:
        file.seek(central)
        file.write(zip64 + locator + end)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("listed"))
    with pytest.raises(InputError, match=r"1,000,000 files.*500,000"):
        unpack(path, tmp_path / "kept")


def test_entries_of_a_real_large_zip_are_counted(tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(0x10000 + 5):
            file.writestr(str(number), b"")
    assert archive._count_zip_entries(path) == 0x10000 + 5


def test_bomb_is_rejected_by_its_declared_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    path = zip_of(tmp_path / "bomb.zip", {"1.png": bytes(2000)})
    with pytest.raises(InputError, match="more than the limit"):
        unpack(path, tmp_path / "kept")


def test_bomb_with_a_false_size_is_rejected_while_unpacking(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    path = tar_of(tmp_path / "bomb.tar.gz", {"1.png": bytes(2000)})
    with pytest.raises(InputError, match="more than the limit"):
        unpack(path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_truncated_archive_is_rejected(tmp_path, make):
    path = make(tmp_path / "pairs.x", {f"{n}.png": os.urandom(3000) for n in range(5)})
    whole = path.read_bytes()
    path.write_bytes(whole[:8000] if make is tar_of else whole[:4000] + whole[6000:])
    with pytest.raises(
        InputError, match=r"pairs\.x cannot be unpacked.*download it again"
    ):
        unpack(path, tmp_path / "kept")


def test_encrypted_zip_is_rejected(tmp_path):
    path = zip_of(tmp_path / "secret.zip", {"1.png": b"x"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="encrypted"):
        unpack(path, tmp_path / "kept")
