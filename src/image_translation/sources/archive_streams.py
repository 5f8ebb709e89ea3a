"""Streams that limit the size of the headers that zipfile and tarfile read.

Both modules read a header of any declared length into memory before they parse it.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

MAX_DIRECTORY = 128 << 20
"""Maximum size of a zip file's directory: 268 bytes for each of 500,000 entries."""

MAX_HEADER = 256 << 10
"""Maximum size in bytes of the headers of a tar entry. The longest path with the usual
attributes needs less than 16 KiB.
"""

MAX_HEADERS = 1 << 30
"""Maximum size of all headers of a tar file: 2 KiB for each of 500,000 entries."""

_MAX_MEMORY = 256 << 20  # of the xz decoder; the highest compression level needs 65 MiB
_MAX_DIGITS = 100  # before Python 3.11.10, tarfile searches digits in quadratic time
_CHUNK = 1 << 18
_BLOCK = 512
_PAX_TYPES = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}


class DamagedTarError(tarfile.ReadError):
    """A header is damaged; the text says how, in words of this project."""


class HeaderTooLongError(Exception):
    """A header is longer than the limit."""


class TooManyEntriesError(Exception):
    """A directory has more entries than the limit."""


class ZipStream(io.RawIOBase):
    """A zip file whose directory is limited in length and number of entries.

    Args:
        file: The file.
        max_entries: Maximum number of entries.
    """

    def __init__(self, file: BinaryIO, max_entries: int) -> None:
        self._file, self._max_entries = file, max_entries
        self._is_directory = True

    def allow_data(self) -> None:
        """Stop limiting reads: files follow the directory."""
        self._is_directory = False

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes, as a file does.

        Raises:
            HeaderTooLongError: The directory is too long.
            TooManyEntriesError: The directory has too many entries.
        """
        if not self._is_directory:
            return self._file.read(size)
        if size > MAX_DIRECTORY:
            raise HeaderTooLongError(f"a directory of {size:,} bytes")
        data = self._file.read(size if size >= 0 else MAX_DIRECTORY)
        if _count_entries(data, self._max_entries + 1) > self._max_entries:
            raise TooManyEntriesError
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The current position, as of a file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """True: zipfile needs it."""
        return True


def _count_entries(directory: bytes, at_most: int) -> int:
    """Number of entries, in the layout of APPNOTE.TXT, section 4.3.12."""
    count = start = 0
    while count < at_most and directory[start : start + 4] == b"PK\1\2":
        if start + 46 > len(directory):
            break
        count += 1
        start += 46 + sum(struct.unpack_from("<3H", directory, start + 28))
    return count


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TarStream(io.RawIOBase):
    """An uncompressed tar file, read forwards only, with headers of limited length.

    Args:
        source: The content.
        file: The same content as a seekable file if it is not compressed; seeking is
            faster than reading.
    """

    def __init__(self, source: _Reader, file: BinaryIO | None) -> None:
        self._source, self._file = source, file
        self._position = 0
        self._all_headers = MAX_HEADERS
        self._type = self._header = b""
        self.allow_header()

    def allow_header(self) -> None:
        """Limit the next reads: they are headers of an entry."""
        self._room: int | None = MAX_HEADER

    def allow_data(self) -> None:
        """Stop limiting reads: the content of an entry follows."""
        self._room = None

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes; returns fewer than requested only at the end.

        Raises:
            HeaderTooLongError: The headers of the entry, or all together, are too long.
            DamagedTarError: A header is damaged.
        """
        if size < 0:
            raise DamagedTarError("negative size")
        if self._room is None:
            return self._read(size)
        if size > min(self._room, self._all_headers):
            raise HeaderTooLongError(f"a header of more than {MAX_HEADER:,} bytes")
        self._room -= size
        self._all_headers -= size
        data = self._read(size)
        if size == _BLOCK:
            self._type, self._header = data[156:157], data
        elif self._type in _PAX_TYPES and size > 1:
            _check_pax(data)
        return data

    def check_end(self) -> None:
        """Check that the file ends here, and the checksum of its compression.

        Raises:
            DamagedTarError: The last header is damaged; tarfile takes it for the end.
        """
        if self._header.strip(b"\0"):
            raise DamagedTarError("damaged header")
        self._read(_CHUNK)

    def _read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._source.read(min(size, _CHUNK))):
            parts.append(part)
            size -= len(part)
            self._position += len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move forwards to a position.

        Raises:
            DamagedTarError: The offset is before the position.
        """
        if whence != io.SEEK_SET or offset < self._position:
            raise DamagedTarError("an entry before its header")
        if self._file is not None:
            self._position = self._file.seek(offset)
        while self._position < offset and self._read(
            min(_CHUNK, offset - self._position)
        ):
            pass
        return self._position

    def tell(self) -> int:
        """The current position."""
        return self._position

    def seekable(self) -> bool:
        """True: tarfile needs it."""
        return True


@contextmanager
def open_tar_stream(path: Path) -> Iterator[TarStream]:
    """Open a tar file, uncompressed or compressed with gzip, bzip2 or xz."""
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            yield TarStream(gzip.GzipFile(fileobj=file), None)
        elif start.startswith(b"BZh"):
            yield TarStream(bz2.BZ2File(file), None)
        elif start.startswith((b"\xfd7zXZ\0", b"]\0\0")):
            yield TarStream(_Xz(file), None)
        else:
            yield TarStream(file, file)


class _Xz:
    """Decompresses xz with limited memory, unlike ``lzma.LZMAFile``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=_MAX_MEMORY)

    def read(self, size: int, /) -> bytes:
        while True:
            data = b""
            if self._decoder.eof:
                data = self._decoder.unused_data.lstrip(b"\0")
                data = data or self._file.read(_CHUNK).lstrip(b"\0")
                if not data:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=_MAX_MEMORY)
            elif self._decoder.needs_input:
                data = self._file.read(_CHUNK)
                if not data:
                    raise EOFError
            if out := self._decoder.decompress(data, size):
                return out


def _check_pax(data: bytes) -> None:
    """Check that tarfile parses an extended header in linear time.

    Raises:
        DamagedTarError: A record is malformed.
    """
    if max(map(len, re.findall(rb"\d+", data)), default=0) > _MAX_DIGITS:
        raise DamagedTarError("too long a number in a header")
    start = 0
    while start < len(data) and data[start]:
        length, blank, _ = data[start : start + 12].partition(b" ")
        end = start + int(length) if blank and length.isdigit() else 0
        record = data[start:end]
        if b"=" not in record or not record.endswith(b"\n"):
            raise DamagedTarError("malformed header")
        start = end
