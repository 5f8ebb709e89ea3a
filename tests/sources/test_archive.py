import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from image_translation.common.errors import InputError
from image_translation.sources import archive, archive_streams
from image_translation.sources.archive import is_archive, unpack
from tests.sources.archives import pax, tar_of, tar_with_header, zip_of

FILES = {"in/é 1.png": b"one" * 100, "out/é 1.png": b"two" * 100, "top.csv": b"3"}


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def nothing_was_left(tmp_path):
    return all(path.is_file() for path in tmp_path.iterdir())


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


HEADERS = [
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
]


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize(
    "use", [is_archive, lambda path: unpack(path, path.parent / "kept")]
)
def test_long_header_of_a_tar_is_rejected_unread(tmp_path, kind, use):
    path = tar_with_header(tmp_path / "x.tar.gz", kind, b"a", size=64 << 20)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"header of more than .* bytes"):
        use(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert nothing_was_left(tmp_path)


def test_declared_header_of_2_gib_is_rejected_without_reading(tmp_path):
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, 2 << 30
    (tmp_path / "x.tar").write_bytes(head.tobuf() + bytes(1024))
    with pytest.raises(InputError, match="header"):
        is_archive(tmp_path / "x.tar")


def test_usual_extended_headers_are_read(tmp_path):
    content = pax(path="é/" + "long" * 60 + ".png", mtime="1.25", comment="x" * 20_000)
    path = tar_with_header(tmp_path / "x.tar.gz", tarfile.XHDTYPE, content)
    assert contents(unpack(path, tmp_path / "kept")) == {
        "é/" + "long" * 60 + ".png": b"x"
    }


@pytest.mark.parametrize(
    "content",
    [
        b"1" * 100_000,
        b"3 a" * 60_000,
        pax(comment="2" * 100_000),
        b"0 a=b\n" * 100,
        b"\xff" * 999,
    ],
)
def test_malformed_extended_header_is_rejected_at_once(tmp_path, content):
    path = tar_with_header(tmp_path / "x.tar.gz", tarfile.XHDTYPE, content)
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(path, tmp_path / "kept")


def test_many_global_keywords_are_rejected(tmp_path):
    content = pax(**{f"key{number}": "x" for number in range(1000)})
    path = tar_with_header(tmp_path / "x.tar.gz", tarfile.XGLTYPE, content)
    with pytest.raises(InputError, match="global keywords"):
        unpack(path, tmp_path / "kept")


def test_chain_of_headers_is_rejected(tmp_path):
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 2
    (tmp_path / "x.tar").write_bytes((head.tobuf() + b"a".ljust(512, b"\0")) * 5000)
    with pytest.raises(InputError, match=r"header|cannot be unpacked"):
        unpack(tmp_path / "x.tar", tmp_path / "kept")


def test_negative_size_is_rejected(tmp_path):
    head = bytearray(tarfile.TarInfo("1.png").tobuf(tarfile.GNU_FORMAT))
    head[124:136] = b"\xff" * 10 + b"\xfc\0"  # base 256
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    (tmp_path / "x.tar").write_bytes(bytes(head) * 3 + bytes(1024))
    with pytest.raises(InputError, match="cannot be unpacked|download it again"):
        unpack(tmp_path / "x.tar", tmp_path / "kept")


def test_xz_with_a_huge_dictionary_is_rejected(tmp_path):
    plain = tar_of(tmp_path / "plain.tar", {"1.png": b"x"}, "w")
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    (tmp_path / "x.tar.xz").write_bytes(
        lzma.compress(plain.read_bytes(), filters=filters)
    )
    assert not is_archive(tmp_path / "x.tar.xz")


@pytest.mark.parametrize("size", [1 << 60, 3000])
def test_data_of_ignored_entries_counts(tmp_path, monkeypatch, size):
    monkeypatch.setattr(archive, "MAX_BYTES", 2000)
    head = tarfile.TarInfo("x")
    head.type, head.size = b"V", size  # an unknown type
    (tmp_path / "x.tar").write_bytes(head.tobuf(tarfile.GNU_FORMAT) + bytes(8192))
    with pytest.raises(InputError, match="more than the limit"):
        unpack(tmp_path / "x.tar", tmp_path / "kept")


def test_sparse_bomb_is_rejected_by_its_declared_size(tmp_path):
    content = pax(**{"GNU.sparse.major": "0", "GNU.sparse.minor": "1",
                     "GNU.sparse.size": str(1 << 50), "GNU.sparse.map": "0,1"})  # fmt: skip
    path = tar_with_header(tmp_path / "x.tar.gz", tarfile.XHDTYPE, content)
    with pytest.raises(InputError, match="more than the limit"):
        unpack(path, tmp_path / "kept")


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_folders_and_links_of_a_tar_count(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for number in range(4):
            info = tarfile.TarInfo(f"{number}")
            info.type = kind
            file.addfile(info)
    with pytest.raises(InputError, match="more than 3 files and folders"):
        unpack(tmp_path / "x.tar", tmp_path / "kept")


def test_folders_of_a_zip_count(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    path = zip_of(tmp_path / "x.zip", {f"{n}/": b"" for n in range(4)})
    with pytest.raises(InputError, match="4 files and folders"):
        unpack(path, tmp_path / "kept")


def test_zip_that_declares_fewer_entries_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    path = zip_of(tmp_path / "x.zip", {f"{n}.png": b"x" for n in range(9)})
    content = bytearray(path.read_bytes())
    content[-14:-10] = struct.pack("<2H", 1, 1)
    path.write_bytes(content)
    with pytest.raises(InputError, match="more than 3 files and folders"):
        unpack(path, tmp_path / "kept")


def test_long_directory_of_a_zip_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_streams, "MAX_DIRECTORY", 500)
    path = zip_of(tmp_path / "x.zip", {"a" * 600: b"x"})
    with pytest.raises(InputError, match="directory of"):
        unpack(path, tmp_path / "kept")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_that_unpacks_without_a_limit_of_memory_is_rejected(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as file:
        file.writestr("1.png", b"x" * 1000)
    with pytest.raises(InputError, match="compression other than deflate"):
        unpack(tmp_path / "x.zip", tmp_path / "kept")


@pytest.mark.parametrize("name", ["", ".", "./", "././."])
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_entry_without_a_name_is_ignored(tmp_path, make, name):
    path = make(tmp_path / "x", {"1.png": b"x", name: b"y", "2.png": b"z"})
    assert contents(unpack(path, tmp_path / "kept")) == {"1.png": b"x", "2.png": b"z"}


def test_folder_entries_are_ignored(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for name, kind in (
            (".", tarfile.DIRTYPE),
            ("./a", tarfile.DIRTYPE),
            ("./a/1.png", tarfile.REGTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type = kind
            file.addfile(info)
    assert contents(unpack(tmp_path / "x.tar", tmp_path / "kept")) == {"a/1.png": b""}


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_deeply_nested_folders_are_rejected(tmp_path, make):
    path = make(tmp_path / "x", {"1.png": b"x", "a/" * 1500 + "2.png": b"x"})
    with pytest.raises(InputError, match="nests more than 100 folders"):
        unpack(path, tmp_path / "kept")
    assert nothing_was_left(tmp_path)


def test_damaged_newer_version_keeps_the_old_one(tmp_path):
    path = zip_of(tmp_path / "x.zip", FILES)
    folder = unpack(path, tmp_path / "kept")
    zip_of(path, {"good.png": b"x", "../bad.png": b"y"})
    with pytest.raises(InputError):
        unpack(path, tmp_path / "kept")
    assert contents(folder) == FILES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "x.zip"]


def zip_of_windows(path: Path, files: Mapping[bytes, bytes], system: int = 0) -> Path:
    """A zip file with names in a code page, without the flag for UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(files.values()):
            info = zipfile.ZipInfo(f"{number:04d}".ljust(len(list(files)[number]), "_"))
            info.create_system = system
            archive.writestr(info, content)
    whole = path.read_bytes()
    for number, name in enumerate(files):
        whole = whole.replace(f"{number:04d}".ljust(len(name), "_").encode(), name)
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("has_folders", [True, False])
def test_backslashes_of_windows_separate_folders(tmp_path, has_folders):
    folders = {b"pairs\\": b"", b"pairs\\in\\": b""} if has_folders else {}
    files = {b"pairs\\in\\%03d.png" % number: b"x" for number in range(3)}
    path = zip_of_windows(tmp_path / "x.zip", folders | files)
    assert set(contents(unpack(path, tmp_path / "kept"))) == {
        f"pairs/in/{number:03d}.png" for number in range(3)
    }


def test_backslash_in_a_name_of_unix_is_kept(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"in/a\\b.png": b"x"})
    assert contents(unpack(path, tmp_path / "kept")) == {"in/a\\b.png": b"x"}


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("shift_jis", ("入力/写真ソ1.png", "出力/写真ソ1.png")),  # ソ ends in 0x5C
        ("cp949", ("흑백/서울 1.png", "컬러/서울 1.png")),
        ("gb18030", ("输入/图片1.png", "输出/图片1.png")),
        ("cp437", ("größe/Übung 1.png", "größe/é.png")),
        ("utf-8", ("입력/사진 1.png", "출력/사진 1.png")),
    ],
)
@pytest.mark.parametrize("system", [0, 3])
def test_names_of_other_systems_are_decoded(tmp_path, encoding, names, system):
    files = {name.encode(encoding): b"x" for name in names}
    path = zip_of_windows(tmp_path / "x.zip", files, system)
    assert set(contents(unpack(path, tmp_path / "kept"))) == set(names)


def test_names_of_a_tar_that_are_not_utf8_stay_different(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", encoding="cp949") as file:
        for name in ("in/서울.png", "in/부산.png"):
            info = tarfile.TarInfo(name)
            file.addfile(info)
    found = contents(unpack(tmp_path / "x.tar", tmp_path / "kept"))
    assert len(found) == 2
    assert all(name.encode().decode() and name.startswith("in/") for name in found)


def add(file: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    if kind == tarfile.REGTYPE:
        info.size = 1
        file.addfile(info, io.BytesIO(b"x"))
    else:
        file.addfile(info)


def test_links_within_a_tar_are_files(tmp_path, caplog):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        add(file, "./in/soft.png", tarfile.SYMTYPE, "../all/chain.png")
        add(file, "./all/chain.png", tarfile.SYMTYPE, "1.png")
        add(file, "./all/1.png", tarfile.REGTYPE)
        add(file, "./in/hard.png", tarfile.LNKTYPE, "./all/1.png")
        for name, target in {"a": "/etc/passwd", "b": "../../x", "c": "gone"}.items():
            add(file, name, tarfile.SYMTYPE, target)
        add(file, "pipe", tarfile.FIFOTYPE)
    assert contents(unpack(tmp_path / "x.tar", tmp_path / "kept")) == dict.fromkeys(
        ("all/1.png", "all/chain.png", "in/hard.png", "in/soft.png"), b"x"
    )
    (line,) = [record.message for record in caplog.records]
    assert "4 entries are left out" in line
    assert "3 links without a file in the archive" in line
    assert "1 neither files nor folders" in line


def test_link_within_a_zip_is_a_file(tmp_path, caplog):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        link = zipfile.ZipInfo("in/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        file.writestr(link, "../out/1.png")
        file.writestr("out/1.png", "x")
    assert contents(unpack(tmp_path / "x.zip", tmp_path / "kept")) == dict.fromkeys(
        ("in/link.png", "out/1.png"), b"x"
    )
    assert not caplog.records


def test_copies_of_linked_files_count(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1500)
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        info = tarfile.TarInfo("1.png")
        info.size = 1000
        file.addfile(info, io.BytesIO(bytes(1000)))
        add(file, "2.png", tarfile.LNKTYPE, "1.png")
    with pytest.raises(InputError, match="more than the limit"):
        unpack(tmp_path / "x.tar", tmp_path / "kept")


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_names_that_cannot_be_written_stop_no_other(tmp_path, caplog, make):
    files = {"a": b"1", "a/1.png": b"2", "ä" * 150 + ".png": b"3", "2.png": b"4"}
    path = make(tmp_path / "x", files)
    assert contents(unpack(path, tmp_path / "kept")) == {"a": b"1", "2.png": b"4"}
    assert "2 names that cannot be written here" in caplog.text


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_damaged_archive_is_one_line_without_the_error_of_python(tmp_path, mode):
    files = {f"{number}.png": os.urandom(2000) for number in range(5)}
    path = tmp_path / "x.data"
    whole = (
        zip_of(path, files) if mode == "zip" else tar_of(path, files, mode)
    ).read_bytes()
    for start in range(600, len(whole) - 600, 1500):
        path.write_bytes(whole[:start] + b"\xaa" * 64 + whole[start + 64 :])
        with pytest.raises(InputError) as caught:
            unpack(path, tmp_path / "kept")
        message = str(caught.value)
        assert "it is incomplete or damaged" in message and "\n" not in message
        assert "Errno" not in message and "zlib" not in message
