"""Unpack zip and tar files, treated as untrusted."""

import lzma
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
from typing import IO, cast

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import code_digest, digest
from image_translation.common.progress import progress
from image_translation.sources.archive_streams import (
    HeaderTooLongError,
    TarStream,
    TooManyEntriesError,
    ZipStream,
    open_tar_stream,
)
from image_translation.sources.cached_dir import cached_dir

MAX_FILES = 500_000
"""Maximum number of entries in an archive: files, folders and links."""

MAX_BYTES = 200 << 30
"""Maximum unpacked size of an archive in bytes; less if the disk has less free
space.
"""

MAX_DEPTH = 100
"""Maximum number of nested folders."""

_MAX_GLOBAL_KEYWORDS = 100  # tarfile copies these for every entry
_SAFE_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_CHUNK = 1 << 20
_DAMAGE = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,  # tarfile recurses for each additional header of an entry
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_archive(path: Path) -> bool:
    """True for a zip or tar file, by its content.

    Raises:
        InputError: The file is a tar file whose first header is too long.
    """
    if zipfile.is_zipfile(path):
        return True
    try:
        with open_tar_stream(path) as stream, _open_tar(stream):
            return True
    except HeaderTooLongError as error:
        raise _header_too_long(path, error) from error
    except _DAMAGE:
        return False


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive, unless it is already unpacked.

    Only regular files are unpacked; links, devices and entries without a name are
    ignored. The files of an earlier version are kept until all new files are written.

    Args:
        archive: A zip file (stored or deflated), or a tar file (uncompressed, gzip, bzip2
            or xz).
        folder: Folder for the files.

    Returns:
        The folder with the files.

    Raises:
        InputError: The archive is damaged or encrypted, contains a path outside the
            folder, contains more than ``MAX_FILES`` entries, nests more than
            ``MAX_DEPTH`` folders, has a header that is too long, or unpacks to more
            than ``MAX_BYTES`` or the free disk space.
    """
    status = archive.stat()
    fingerprint = digest(status.st_size, status.st_mtime_ns, code_digest(__name__))
    return cached_dir(folder, fingerprint, lambda root: _fill(archive, root))


@dataclass(frozen=True)
class _Member:
    """An entry of an archive.

    Attributes:
        name: Its path in the archive.
        size: Declared size of the unpacked content in bytes.
        stream: The content; None for an entry that is not a file.
    """

    name: str
    size: int = 0
    stream: IO[bytes] | None = None


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
            if member.size > room:
                raise _too_large(archive, "more")
            path = _inside(archive, root, member.name) if member.stream else None
            if member.stream and path:
                room -= _write(member.stream, path, room, archive)
            else:
                room -= member.size
    except InputError:
        raise
    except HeaderTooLongError as error:
        raise _header_too_long(archive, error) from error
    except TooManyEntriesError as error:
        raise _too_many(archive, f"more than {MAX_FILES:,}") from error
    except _DAMAGE as error:
        raise InputError(
            f"source: {archive} cannot be unpacked: {error or 'unexpected end'}; "
            "download it again, or unpack it yourself and pass the folder"
        ) from error


def _read_zip(path: Path, room: int) -> Iterator[_Member]:
    count = _count_zip_entries(path)
    if count > MAX_FILES:
        raise _too_many(path, f"{count:,}")
    with path.open("rb") as file:
        stream = ZipStream(file, MAX_FILES)
        with zipfile.ZipFile(stream) as archive:
            stream.allow_data()
            infos = archive.infolist()
            files = [info for info in infos if _is_file(info)]
            size = sum(info.file_size for info in files)
            if size > room:
                raise _too_large(path, f"{size / 2**30:,.1f} GiB")
            _check_readable(path, files)
            yield from (_Member(i.filename) for i in infos if not _is_file(i))
            for info in files:
                with archive.open(info) as content:
                    yield _Member(info.filename, info.file_size, content)


def _check_readable(path: Path, files: list[zipfile.ZipInfo]) -> None:
    if any(info.flag_bits & 1 for info in files):
        raise InputError(
            f"source: {path} is encrypted; unpack it yourself and pass the folder"
        )
    # zipfile decompresses other methods with unlimited memory
    if any(info.compress_type not in _SAFE_METHODS for info in files):
        raise InputError(
            f"source: {path} uses a compression other than deflate; unpack it yourself "
            "and pass the folder"
        )


def _read_tar(path: Path, _: int) -> Iterator[_Member]:
    with open_tar_stream(path) as stream, _open_tar(stream) as archive:
        while True:
            stream.allow_header()
            info = archive.next()
            if info is None:
                return
            archive.members.clear()  # type: ignore[attr-defined] # tarfile keeps all members
            skipped = archive.offset - info.offset_data
            if skipped < 0 or info.size < 0:
                raise tarfile.ReadError("negative size")
            if len(archive.pax_headers) > _MAX_GLOBAL_KEYWORDS:
                raise tarfile.ReadError("too many global keywords")
            stream.allow_data()
            content = archive.extractfile(info) if info.isfile() else None
            if content is None:
                yield _Member(info.name, skipped)
            else:
                yield _Member(info.name, info.size, content)


def _open_tar(stream: TarStream) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:")


def _is_file(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not created on Unix
    is_folder = not info.filename or info.is_dir()
    return not is_folder and kind in {0, stat.S_IFREG}


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


def _inside(archive: Path, root: Path, name: str) -> Path | None:
    """Output path of an archive member; None if it has no name."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if not parts.parts:
        return None
    climbs = parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]
    if climbs or "\0" in name:
        raise InputError(
            f"source: {archive} contains a path outside the target folder ({name!r}); "
            "nothing was extracted"
        )
    if len(parts.parts) > MAX_DEPTH:
        raise InputError(
            f"source: {archive} nests more than {MAX_DEPTH} folders; unpack it yourself "
            "and pass the folder"
        )
    return root.joinpath(*parts.parts)


def _write(stream: IO[bytes], path: Path, room: int, archive: Path) -> int:
    """Write a file of at most ``room`` bytes; return its number of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise _too_large(archive, "more")
            file.write(chunk)
    return written


def _too_many(archive: Path, count: str) -> InputError:
    return InputError(
        f"source: {archive} contains {count} files and folders; the limit is "
        f"{MAX_FILES:,}. Unpack it yourself and pass the folder"
    )


def _too_large(archive: Path, size: str) -> InputError:
    return InputError(
        f"source: {archive} unpacks to {size}, which is more than the limit of "
        f"{MAX_BYTES >> 30} GiB or the free disk space"
    )


def _header_too_long(archive: Path, error: HeaderTooLongError) -> InputError:
    return InputError(
        f"source: {archive} has {error}; it is damaged or hostile. Download it again, or "
        "unpack it yourself and pass the folder"
    )
