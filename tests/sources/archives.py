"""Archives, good and hostile."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def zip_of(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as file:  # also without a name
                file.write(content)
    return path


def tar_of(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tar_with_header(path: Path, kind: bytes, content: bytes, size: int = 0) -> Path:
    """A gzipped tar file that starts with a header of its own, such as a long name.

    Args:
        path: The file.
        kind: Type of the header.
        content: Its beginning; zeros follow.
        size: Its declared size, if it is longer than the content.
    """
    head = tarfile.TarInfo("header")
    head.type, head.size = kind, max(size, len(content))
    file = tarfile.TarInfo("1.png")
    file.size = 1
    with gzip.open(path, "wb", 1) as archive:
        archive.write(head.tobuf(tarfile.GNU_FORMAT))
        archive.write(content)
        left = -len(content) % 512 if size <= len(content) else size - len(content)
        while left > 0:
            archive.write(bytes(min(left, 1 << 24)))
            left -= 1 << 24
        archive.write(file.tobuf() + b"x".ljust(512, b"\0") + bytes(1024))
    return path


def pax(**values: str) -> bytes:
    """Records of an extended header."""
    records = b""
    for key, value in values.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + len(str(len(rest)))
        length += len(str(length)) - len(str(len(rest)))
        records += str(length).encode() + rest
    return records
