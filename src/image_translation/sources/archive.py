"""Unpack zip and tar files, treated as untrusted."""

import errno
import logging
import lzma
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import fingerprint
from image_translation.common.progress import progress
from image_translation.sources.archive_streams import (
    DamagedTarError,
    HeaderTooLongError,
    TarStream,
    TooManyEntriesError,
    ZipStream,
    open_tar_stream,
)
from image_translation.sources.cached_dir import cached_dir

logger = logging.getLogger(__name__)

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
_UNIX = {3, 19}  # Unix and macOS, as the creator of a zip entry
_MAX_CHAIN = 10  # links that point to each other
_MAX_LINK = 4096  # bytes of the path of a link
_SAMPLED_NAMES = 2000  # from which their encoding is guessed
_UTF_8_NAME = 1 << 11  # flag of a zip entry
_CODE_PAGES = ["utf_8", "cp932", "cp949", "gb18030", "big5", "cp437", "cp850", "cp866"]
"""Encodings of names in zip files without that flag: macOS, and Windows in Japan,
Korea, China, Taiwan and elsewhere. The names of one archive have one encoding.
"""

_NAME_ERRORS = {
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}
_UNWRITABLE = "names that cannot be written here"
_NO_NAME = "files without a name"
_LOST_LINK = "links without a file in the archive"
_SPECIAL = "neither files nor folders"
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

    Links to files within the archive become copies of the files. A warning gives the
    number of entries that are left out: other links, devices, entries without a name or
    with one that cannot be written. The files of an earlier version are kept until all
    new files are written.

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
    made_from = fingerprint(
        f"{__name__}._fill", size=status.st_size, time=status.st_mtime_ns
    )
    return cached_dir(folder, made_from, lambda root: _fill(archive, root))


@dataclass(frozen=True)
class _Member:
    """An entry of an archive.

    Attributes:
        name: Its path in the archive.
        size: Declared size of the unpacked content in bytes.
        stream: The content; None for an entry that is not a file.
        link: The path in the archive of the file that a link stands for; None if it is
            not a link.
        is_folder: True for a folder.
    """

    name: str
    size: int = 0
    stream: IO[bytes] | None = None
    link: str | None = None
    is_folder: bool = False


def _fill(archive: Path, root: Path) -> None:
    room = min(MAX_BYTES, shutil.disk_usage(root).free)
    read = _read_zip if zipfile.is_zipfile(archive) else _read_tar
    left_out: Counter[str] = Counter()
    links: list[_Member] = []
    try:
        members = read(archive, room)
        for count, member in enumerate(
            progress(members, f"unpacking {archive.name}", 0, "files")
        ):
            if count >= MAX_FILES:
                raise _too_many(archive, f"more than {MAX_FILES:,}")
            if member.size > room:
                raise _too_large(archive, "more")
            if member.link is not None:
                links.append(member)
            if member.stream is None:
                is_known = member.is_folder or member.link is not None
                left_out[_SPECIAL] += not is_known
                room -= member.size
                continue
            path = _inside(archive, root, member.name)
            room -= _write(member.stream, path, room, archive, left_out)
        _copy_linked(archive, root, links, room, left_out)
    except InputError:
        raise
    except HeaderTooLongError as error:
        raise _header_too_long(archive, error) from error
    except TooManyEntriesError as error:
        raise _too_many(archive, f"more than {MAX_FILES:,}") from error
    except _DAMAGE as error:
        raise InputError(
            f"source: {archive} cannot be unpacked: {_describe_damage(error)}; download "
            "it again, or unpack it yourself and pass the folder"
        ) from error
    if total := left_out.total():
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in left_out.items() if count
        )
        logger.warning("%s: %d entries are left out: %s", archive, total, reasons)


def _describe_damage(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = f" ({error})" if isinstance(error, DamagedTarError) else ""
    return f"it is incomplete or damaged{text}"


def _copy_linked(
    archive: Path,
    root: Path,
    links: Sequence[_Member],
    room: int,
    left_out: Counter[str],
) -> None:
    """Copy the files that links stand for; links to links are resolved in turn."""
    for _ in range(_MAX_CHAIN):
        waiting = []
        for link in links:
            linked = root / posixpath.normpath(str(link.link))
            is_inside = linked.is_relative_to(root) and ".." not in linked.parts
            path = _inside(archive, root, link.name)
            if is_inside and linked.is_file() and path != linked:
                with linked.open("rb") as stream:
                    room -= _write(stream, path, room, archive, left_out)
            else:
                waiting.append(link)
        links = waiting
    left_out[_LOST_LINK] += len(links)


def _read_zip(path: Path, room: int) -> Iterator[_Member]:
    count = _count_zip_entries(path)
    if count > MAX_FILES:
        raise _too_many(path, f"{count:,}")
    with path.open("rb") as file:
        stream = ZipStream(file, MAX_FILES)
        with zipfile.ZipFile(stream) as archive:
            stream.allow_data()
            infos = archive.infolist()
            names = dict(zip(infos, _decode_names(infos), strict=True))
            files = [info for info in infos if not _is_folder(info, names[info])]
            size = sum(info.file_size for info in files)
            if size > room:
                raise _too_large(path, f"{size / 2**30:,.1f} GiB")
            _check_readable(path, files)
            yield from [_Member("", is_folder=True)] * (len(infos) - len(files))
            for info in files:
                name = names[info]
                if _kind(info) == stat.S_IFLNK:
                    yield _Member(name, link=_linked(name, _read_link(archive, info)))
                elif _kind(info) in {0, stat.S_IFREG}:
                    with archive.open(info) as content:
                        yield _Member(name, info.file_size, content)
                else:
                    yield _Member(name)


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
                stream.check_end()
                return
            archive.members.clear()  # type: ignore[attr-defined] # tarfile keeps all members
            skipped = archive.offset - info.offset_data
            if skipped < 0 or info.size < 0:
                raise DamagedTarError("negative size")
            if len(archive.pax_headers) > _MAX_GLOBAL_KEYWORDS:
                raise DamagedTarError("too many global keywords")
            stream.allow_data()
            name, target = _decode_tar_name(info.name), _decode_tar_name(info.linkname)
            content = archive.extractfile(info) if info.isfile() else None
            if content is not None:
                yield _Member(name, info.size, content)
            elif info.issym():
                yield _Member(name, skipped, link=_linked(name, target))
            elif info.islnk():
                yield _Member(name, skipped, link=target)
            else:
                yield _Member(name, skipped, is_folder=info.isdir())


def _decode_tar_name(name: str) -> str:
    """The name, with readable characters in place of bytes that are not UTF-8."""
    raw = os.fsencode(name)
    try:
        name = raw.decode()
    except UnicodeDecodeError:  # names are read one by one: too short for a guess
        name = raw.decode("cp437")
    return name if "/" in name else _with_slashes(name)


def _open_tar(stream: TarStream) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:")


def _is_folder(info: zipfile.ZipInfo, name: str) -> bool:
    return name.endswith("/") or _kind(info) == stat.S_IFDIR


def _kind(info: zipfile.ZipInfo) -> int:
    """Type of the file; 0 if the archive was not created on Unix."""
    return stat.S_IFMT(info.external_attr >> 16)


def _read_link(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as content:
        return content.read(_MAX_LINK).decode(errors="replace")


def _linked(name: str, target: str) -> str:
    """The path in the archive of a symbolic link's target."""
    return posixpath.join(posixpath.dirname(name), target)


def _decode_names(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names of a zip file's entries, with slashes.

    ``zipfile`` decodes names without the flag for UTF-8 as code page 437. Backslashes
    separate folders, as in files of old versions of .NET, except on Unix, where they
    are a part of names if the archive has slashes.
    """
    raw = [
        info.orig_filename.partition("\0")[0].encode(
            "utf-8" if info.flag_bits & _UTF_8_NAME else "cp437"
        )
        for info in infos
    ]
    unflagged = [
        name
        for name, info in zip(raw, infos, strict=True)
        if not info.flag_bits & _UTF_8_NAME
    ]
    encoding = _guess_encoding(b"\n".join(unflagged[:_SAMPLED_NAMES]))
    names = [
        name.decode("utf-8" if info.flag_bits & _UTF_8_NAME else encoding, "replace")
        for name, info in zip(raw, infos, strict=True)
    ]
    has_slashes = any("/" in name for name in names)
    return [
        name if has_slashes and info.create_system in _UNIX else _with_slashes(name)
        for name, info in zip(names, infos, strict=True)
    ]


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/")


def _guess_encoding(names: bytes) -> str:
    from charset_normalizer import from_bytes

    if names.isascii():
        return "ascii"
    found = from_bytes(names, cp_isolation=_CODE_PAGES, threshold=1.0).best()
    return found.encoding if found else "cp437"


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
    parts = PurePosixPath(name)
    if not parts.parts:
        return None
    strict = PurePosixPath(_with_slashes(name))
    climbs = strict.is_absolute() or ".." in strict.parts or ":" in strict.parts[0]
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


def _write(
    stream: IO[bytes],
    path: Path | None,
    room: int,
    archive: Path,
    left_out: Counter[str],
) -> int:
    """Write a file of at most ``room`` bytes; return its number of bytes."""
    if path is None:
        left_out[_NO_NAME] += 1
        return 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    except OSError as error:
        if error.errno not in _NAME_ERRORS:
            raise
        left_out[_UNWRITABLE] += 1
        return 0
    written = 0
    with file:
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
