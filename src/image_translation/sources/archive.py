"""Unpack zip and tar files, treated as untrusted."""

import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import code_digest, digest
from image_translation.common.progress import progress
from image_translation.sources.cached_dir import cached_dir

MAX_FILES = 500_000
"""Maximum number of files in an archive."""

MAX_BYTES = 200 << 30
"""Maximum unpacked size of an archive in bytes; less if the disk has less free
space.
"""

_CHUNK = 1 << 20
_DAMAGE = (
    EOFError,
    NotImplementedError,  # a compression method that zipfile does not support
    OSError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_archive(path: Path) -> bool:
    """True for a zip or tar file, by its content."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive, once.

    Only regular files are unpacked; links and devices are ignored.

    Args:
        archive: A zip or tar file, in any compression that Python supports.
        folder: Folder for the files.

    Returns:
        The folder with the files.

    Raises:
        InputError: The archive is damaged or encrypted, contains a path outside the
            folder, contains more than ``MAX_FILES``, or unpacks to more than
            ``MAX_BYTES`` or the free disk space.
    """
    status = archive.stat()
    fingerprint = digest(status.st_size, status.st_mtime_ns, code_digest(__name__))
    return cached_dir(folder, fingerprint, lambda root: _fill(archive, root))


@dataclass(frozen=True)
class _Member:
    """A file in an archive."""

    name: str
    stream: IO[bytes]


def _fill(archive: Path, root: Path) -> None:
    room = min(MAX_BYTES, shutil.disk_usage(root).free)
    read = _read_zip if zipfile.is_zipfile(archive) else _read_tar
    try:
        members = read(archive, room)
        for count, member in enumerate(
            progress(members, f"unpacking {archive.name}", 0, "files")
        ):
            if count >= MAX_FILES:
                raise _too_many(archive, f"more than {MAX_FILES:,}")
            room -= _write(member, _inside(archive, root, member.name), room, archive)
    except _DAMAGE as error:
        raise InputError(
            f"source: {archive} cannot be unpacked: {error or 'unexpected end'}; "
            "download it again, or unpack it yourself and pass the folder"
        ) from error


def _read_zip(path: Path, room: int) -> Iterator[_Member]:
    count = _count_zip_entries(path)
    if count > MAX_FILES:
        raise _too_many(path, f"{count:,}")
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if _is_file(info)]
        size = sum(info.file_size for info in infos)
        if size > room:
            raise _too_large(path, f"{size / 2**30:,.1f} GiB")
        if any(info.flag_bits & 1 for info in infos):
            raise InputError(
                f"source: {path} is encrypted; unpack it yourself and pass the folder"
            )
        for info in infos:
            with archive.open(info) as stream:
                yield _Member(info.filename, stream)


def _read_tar(path: Path, _: int) -> Iterator[_Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isfile() else None
            if stream is not None:
                yield _Member(info.name, stream)


def _is_file(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not created on Unix
    return not info.is_dir() and kind in {0, stat.S_IFREG}


def _count_zip_entries(path: Path) -> int:
    """The number of entries in a zip file's end record.

    ``zipfile`` builds an object for each entry before it gives their number. The layout
    is that of PKWARE's APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - 22 - 0xFFFF - 20))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0:
            return 0
        (count,) = struct.unpack_from("<H", tail, end + 10)
        if count != 0xFFFF or tail[end - 20 : end - 16] != b"PK\6\7":
            return count
        (offset,) = struct.unpack_from("<Q", tail, end - 20 + 8)
        file.seek(offset)
        record = file.read(40)
        return struct.unpack_from("<Q", record, 32)[0] if len(record) == 40 else start


def _inside(archive: Path, root: Path, name: str) -> Path:
    """Output path of an archive member."""
    parts = PurePosixPath(name.replace("\\", "/"))
    climbs = parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]
    if climbs or "\0" in name:
        raise InputError(
            f"source: {archive} contains a path outside the target folder ({name!r}); "
            "nothing was extracted"
        )
    return root.joinpath(*parts.parts)


def _write(member: _Member, path: Path, room: int, archive: Path) -> int:
    """Write a file of at most ``room`` bytes; return its number of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("wb") as file:
        while chunk := member.stream.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise _too_large(archive, "more")
            file.write(chunk)
    return written


def _too_many(archive: Path, count: str) -> InputError:
    return InputError(
        f"source: {archive} contains {count} files; the limit is {MAX_FILES:,}. "
        "Unpack it yourself and pass the folder"
    )


def _too_large(archive: Path, size: str) -> InputError:
    return InputError(
        f"source: {archive} unpacks to {size}, which is more than the limit of "
        f"{MAX_BYTES >> 30} GiB or the free disk space"
    )
