"""Propose ``pairing.pattern`` for names that do not match as they are."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix

from image_translation.common import wording
from image_translation.common.errors import InputError

Key = Callable[[str], str | None]
"""Maps the path below the sub-folder, without suffix, to the key that partners
share.
"""

_NUMBERS = (r"0*(\d+)$", r"^0*(\d+)", r"0*(\d+)\D*$")
_NUMBERED_VARIANTS = (r"^(.+?)(?:[_ -]\d+)?$", r"^(.+?)(?:[_ -][^_ -]+)?$")
_NOT_IN_PARAMS = (",", " #", ": ", "${")  # --params cannot carry these


@dataclass(frozen=True)
class Proposal:
    """A pattern for names.

    Attributes:
        pattern: A value of ``pairing.pattern``.
        matched: Number of files that it matches to a partner.
        is_repeated: True if several files have the same partner.
    """

    pattern: str
    matched: int
    is_repeated: bool

    def __str__(self) -> str:
        files = wording.count(self.matched, "file")
        text = f"pairing.pattern={self.pattern} finds partners for {files}"
        if not self.is_repeated:
            return text
        return (
            f"{text}, several of them with the same partner: then also remove "
            "repeated_target from audit.leave_out"
        )


def key_by(pattern: str | None) -> Key:
    """The key that partners share: their path, or the pattern's capture in it.

    With the flag ``(?i)``, keys that differ in case are the same.

    Raises:
        InputError: The pattern is invalid.
    """
    if pattern is None:
        return lambda path: path
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        message = f"pairing.pattern: {pattern!r} is not a valid pattern: {error}"
        raise InputError(message) from error
    if not compiled.groups:
        raise InputError(
            f"pairing.pattern: {pattern!r} must have a group in parentheses, which "
            r"captures the common part of partners' names, such as (\d+)"
        )

    def capture(path: str) -> str | None:
        match = compiled.search(path)
        key = " ".join(filter(None, match.groups())) if match else ""
        return (key.casefold() if compiled.flags & re.IGNORECASE else key) or None

    return capture


def propose_pattern(
    inputs: Sequence[str], targets: Sequence[str], matched: int
) -> Proposal | None:
    """The pattern that matches most files, or None if none matches more than now.

    Args:
        inputs: Paths below the folder of the inputs, without suffix.
        targets: Those of the targets.
        matched: Number of files that have a partner now.
    """
    proposals = [
        _try_pattern(pattern, inputs, targets)
        for pattern in _candidates(inputs, targets)
        if not any(text in pattern for text in _NOT_IN_PARAMS)
    ]
    best = max(proposals, key=lambda p: (p.matched, not p.is_repeated))
    return best if best.matched > matched else None


def _try_pattern(
    pattern: str, inputs: Sequence[str], targets: Sequence[str]
) -> Proposal:
    key = key_by(pattern)
    first, second = (
        Counter(filter(None, map(key, names))) for names in (inputs, targets)
    )
    counts = [(first[k], second[k]) for k in first.keys() & second.keys()]
    clear = [count for count in counts if min(count) == 1]
    return Proposal(
        pattern, sum(map(sum, clear)), any(max(count) > 1 for count in clear)
    )


def _candidates(inputs: Sequence[str], targets: Sequence[str]) -> Iterator[str]:
    affixes = _affixes(inputs, targets)
    yield from ("(?i)(.*)", affixes, f"(?i){affixes}", *_NUMBERS, *_NUMBERED_VARIANTS)


def _affixes(inputs: Sequence[str], targets: Sequence[str]) -> str:
    """A pattern that leaves out what all inputs, or all targets, begin or end with."""
    sides = inputs, targets
    starts = [commonprefix(list(names)).rstrip("0123456789") for names in sides]
    ends = [
        commonprefix([name[::-1] for name in names]).rstrip("0123456789")[::-1]
        for names in sides
    ]
    return f"^{_optional(starts)}(.+?){_optional(ends)}$"


def _optional(texts: Sequence[str]) -> str:
    known = sorted({re.escape(text) for text in texts if text})
    return f"(?:{'|'.join(known)})?" if known else ""
