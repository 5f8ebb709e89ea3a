"""Stamps: files that record whether outputs are up to date.

A stamp is next to its output. It holds the output's fingerprint, and the size and digest
of each of its files. An output is up to date if the fingerprint matches and the files are
unchanged. The stamp is written last, so an incomplete output is never up to date.
"""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from image_translation.common.errors import InputError
from image_translation.common.files import write_text
from image_translation.common.fingerprint import (
    MISSING,
    Fingerprint,
    digest,
    explain_change,
    file_digest,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

STAMP_NAME = "fingerprint.json"

_stored: ContextVar[frozenset[str]] = ContextVar("stored", default=frozenset())
_had_work: ContextVar[bool | None] = ContextVar("had_work", default=None)
_node: ContextVar[str] = ContextVar("node", default="this output")
_is_dry: ContextVar[bool] = ContextVar("is_dry", default=False)


class WorkNeeded(BaseException):
    """Raised in a dry run in place of work; the message is the reason of the work.

    Like `KeyboardInterrupt`, it passes handlers of `Exception`.
    """


class Unchecked(WorkNeeded):
    """Raised in a dry run where only a connection shows whether an output is stale."""


@contextmanager
def dry_run() -> Iterator[None]:
    """Raise `WorkNeeded` where an output is stale, and create no folders."""
    token = _is_dry.set(True)
    try:
        yield
    finally:
        _is_dry.reset(token)


def is_dry_run() -> bool:
    """True if nothing may be written."""
    return _is_dry.get()


@dataclass(frozen=True)
class Stamped(Generic[T]):
    """Output of a node, with its fingerprint.

    Attributes:
        fingerprint: Digest of everything that the output depends on.
        value: None if the stored output is up to date.
    """

    fingerprint: str
    value: T | None


def begin_node(fingerprints: Iterable[str] = (), name: str = "this output") -> None:
    """Set the fingerprints of the stored outputs of the node that runs next.

    Args:
        fingerprints: The fingerprints that all stamped outputs of the node share.
        name: The node, for the log.
    """
    _stored.set(frozenset(fingerprints))
    _node.set(name)
    _had_work.set(None)


def note_work(was_stale: bool, name: str = "", reason: str = "") -> None:
    """Note whether an output of the running node was stale and is computed.

    Args:
        was_stale: Whether it is computed.
        name: The output; by default the node.
        reason: Why it is computed; logged unless there was no output.

    Raises:
        WorkNeeded: The output was stale, in a dry run.
    """
    _had_work.set(_had_work.get() or was_stale)
    if was_stale and is_dry_run():
        raise WorkNeeded(reason)
    if was_stale and reason not in ("", MISSING):
        logger.info("%s is made again: %s", name or _node.get(), reason)


def had_work() -> bool | None:
    """True if an output of the node was stale; None if the node has no stamps."""
    return _had_work.get()


def make_if_stale(fingerprint: str, make: Callable[[], T]) -> Stamped[T]:
    """Compute the output of a node, unless the stored one has this fingerprint.

    Without a Kedro session, no stored outputs are known: the output is always computed.

    Args:
        fingerprint: Digest of everything that the output depends on.
        make: Computes the output.
    """
    stored = _stored.get()
    is_stored = fingerprint in stored
    note_work(
        not is_stored, reason=explain_change(next(iter(stored), None), fingerprint)
    )
    return Stamped(fingerprint, None if is_stored else make())


def make_all_if_stale(
    fingerprint: str, make: Callable[[], Sequence[Any]], count: int
) -> tuple[Stamped[Any], ...]:
    """Compute several outputs of a node at once; see `make_if_stale`.

    Args:
        fingerprint: Digest of everything that the outputs depend on.
        make: Computes all outputs.
        count: Number of outputs.
    """
    made = make_if_stale(fingerprint, make)
    values = [None] * count if made.value is None else made.value
    return tuple(Stamped(fingerprint, value) for value in values)


@runtime_checkable
class Fingerprinting(Protocol):
    """A dataset that knows the fingerprints of what it has stored."""

    def stored_fingerprints(self) -> set[str]:
        """Fingerprints of complete and undamaged outputs."""
        ...


class Stamp:
    """The stamp of an output.

    Args:
        output: Folder or file of the output. The stamp of a folder is inside it, the
            stamp of a file is a hidden file next to it.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._is_file = bool(output.suffix) and not output.is_dir()
        self.path = (
            output.with_name(f".{output.name}.{STAMP_NAME}")
            if self._is_file
            else output / STAMP_NAME
        )

    def read(self) -> Fingerprint | None:
        """The fingerprint of a complete and undamaged output, otherwise None.

        A file counts as damaged if its size has changed, or if it was written after the
        stamp and its digest has changed.
        """
        content = self._read()
        if content is None:
            return None
        written = self.path.stat().st_mtime_ns
        for file, size, sha256 in self._files(content):
            problem = _find_damage(file, size, sha256, written)
            if problem:
                logger.warning("%s %s; the output will be recreated", file, problem)
                return None
        return Fingerprint(content["fingerprint"], content.get("parts"))

    def read_content(self) -> str | None:
        """Digest of the content of a complete and undamaged output, otherwise None.

        What depends on it stays up to date if the output is made again with equal files.
        """
        return None if self.read() is None else digest(self.digests())

    def is_stale(self, fingerprint: str, name: str = "") -> bool:
        """True if the output has to be made; noted as work of the node, and logged.

        Args:
            fingerprint: Digest of everything that the output depends on.
            name: The output, for the log; by default the end of its path.

        Raises:
            WorkNeeded: It has to be made, in a dry run.
        """
        stored = self.read()
        name = name or "/".join(self._output.parts[-3:])
        note_work(stored != fingerprint, name, explain_change(stored, fingerprint))
        if stored == fingerprint:
            logger.info("%s is up to date", name)
        return stored != fingerprint

    def matches(self, fingerprint: str) -> bool:
        """True if the output is complete and undamaged, and has this fingerprint."""
        return self.read() == fingerprint

    def verify(self) -> None:
        """Check the digests of all files; does nothing without a stamp.

        Raises:
            InputError: A file or the stamp is damaged.
        """
        if not self.path.exists():
            return
        damaged = self._find_changed()
        if damaged is not None:
            raise InputError(
                f"{damaged} is damaged: it differs from what was written. Remove "
                f"{self.path} and run the task's whole pipeline to recreate the output"
            )

    def is_intact(self) -> bool:
        """True if the digests of all files match."""
        return self._find_changed() is None

    def matches_copy(self, file: Path) -> bool:
        """True if a file has the content with which the stamped file was written."""
        digests = self.digests().values()
        return file.is_file() and list(digests) == [file_digest(file)]

    def _find_changed(self) -> Path | None:
        content = self._read()
        if content is None:
            return self.path
        for file, _, sha256 in self._files(content):
            if not file.is_file() or file_digest(file) != sha256:
                return file
        return None

    def digests(self) -> dict[str, str]:
        """SHA-256 of the files, by their names relative to the folder of the output."""
        content = self._read() or {"files": {}}
        return {name: written["sha256"] for name, written in content["files"].items()}

    def write(self, fingerprint: str, files: Iterable[Path] | None = None) -> None:
        """Mark the output as complete.

        Args:
            fingerprint: Digest of everything that the output depends on.
            files: The files to stamp; by default the file, or all in the folder.
        """
        stamped = {
            file.relative_to(self._folder).as_posix(): {
                "size": file.stat().st_size,
                "sha256": file_digest(file),
            }
            for file in (self._list() if files is None else files)
        }
        parts = getattr(fingerprint, "parts", {})
        content = {"fingerprint": fingerprint, "parts": parts, "files": stamped}
        write_text(self.path, json.dumps(content) + "\n")

    def clear(self) -> None:
        """Mark the output as incomplete."""
        self.path.unlink(missing_ok=True)

    def update(self, fingerprint: str, write: Callable[[], object]) -> None:
        """Write the output and its stamp, unless it is up to date.

        Args:
            fingerprint: Digest of everything that the output depends on.
            write: Writes the output.
        """
        if not self.is_stale(fingerprint):
            return
        self.clear()
        self._folder.mkdir(parents=True, exist_ok=True)
        write()
        self.write(fingerprint)

    @property
    def _folder(self) -> Path:
        return self._output.parent if self._is_file else self._output

    def _list(self) -> list[Path]:
        if self._is_file:
            return [self._output]
        found = (
            Path(parent, name)
            for parent, _, names in os.walk(self._output)
            for name in names
        )
        return sorted(file for file in found if file != self.path)

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self.path.read_text("utf-8"))
            return content if list(self._files(content)) is not None else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _files(self, content: dict[str, Any]) -> Iterator[tuple[Path, int, str]]:
        for name, written in content["files"].items():
            yield self._folder / name, written["size"], written["sha256"]


def _find_damage(file: Path, size: int, sha256: str, written: int) -> str | None:
    """How a file differs from what was written; `written` is a time in nanoseconds."""
    if not file.is_file():
        return "is missing"
    status = file.stat()
    if status.st_size != size:
        return "has changed in size since it was written"
    if status.st_mtime_ns > written and file_digest(file) != sha256:
        return "was changed after it was written"
    return None


def write_stamped(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) and its stamp; warns if the old file was damaged."""
    stamp = Stamp(path)
    stamp.read()
    stamp.clear()
    write_text(path, text)
    stamp.write("")


def read_stamped(path: Path) -> str:
    """The content of a text file (UTF-8).

    Raises:
        InputError: The file is damaged.
    """
    Stamp(path).verify()
    return path.read_text("utf-8")
