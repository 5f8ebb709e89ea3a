"""Findings: what the audit may find in pairs, and how it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd

from image_translation.errors import FatalFindingsError

Severity = Literal["error", "warning", "info"]

COLUMNS = ("finding", "severity", "count", "examples", "action", "explanation")
"""The columns of the table of findings."""

LEFT_OUT_ACTION = "left out"

_EXAMPLES = 3


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        name: What parameters and tables call it.
        severity: ``error``: such a pair cannot be used; ``warning``: it should be
            looked at; ``info``: good to know.
        explanation: What it means and what to do about it, in a sentence or two.
        action: What is done about such pairs where they are not left out.
    """

    name: str
    severity: Severity
    explanation: str
    action: str = "kept"

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


_KINDS = (
    Kind(
        "unreadable",
        "error",
        "The file is no image, is damaged, or cannot be opened. Fetch it again.",
    ),
    Kind(
        "truncated",
        "error",
        "The file ends before its image does, as after a download that was cut off. "
        "Fetch it again.",
    ),
    Kind(
        "too_large",
        "error",
        "The image has more pixels than are decoded: it could fill the memory. Shrink "
        "it.",
    ),
    Kind(
        "no_partner",
        "error",
        "The other side of the pair was not found. Check file names and pairing.pattern.",
    ),
    Kind(
        "unequal_halves",
        "error",
        "A file with both sides side by side must have an even width.",
    ),
    Kind(
        "duplicate_pair",
        "warning",
        "Both files stand under another name already. One copy is used, so that no "
        "picture counts twice or stands on two sides of the split.",
    ),
    Kind(
        "input_equals_target",
        "warning",
        "There is nothing to learn from, and a copy of the input scores perfectly.",
    ),
    Kind(
        "repeated_target",
        "warning",
        "One target stands under inputs that differ: at most one of them is right.",
    ),
    Kind(
        "repeated_input",
        "warning",
        "One input stands with targets that differ. The pairs are kept on one side of "
        "the split.",
        "kept in one group",
    ),
    Kind(
        "misaligned",
        "warning",
        "The edges of the two sides do not lie on each other, as those of most pairs "
        "do: moved, or another picture. Look at it.",
    ),
    Kind(
        "swapped",
        "warning",
        "The input looks as targets do, and the target as inputs do. Look at it.",
    ),
    Kind(
        "colourless_target",
        "warning",
        "The target is grey, where most have colour: it teaches not to colour.",
    ),
    Kind(
        "sizes_differ",
        "warning",
        "The two sides have different shapes, so that one is stretched to fit the other.",
        "resized, each side by itself",
    ),
    Kind(
        "odd_size",
        "warning",
        "The image has another shape than most. preparation.fit says how it becomes a "
        "square.",
        "brought to a square",
    ),
    Kind(
        "extreme_size",
        "warning",
        "The image is far smaller or larger than most, or very long and narrow.",
        "resized",
    ),
    Kind(
        "lying_extension",
        "warning",
        "The file's name ends in another format's suffix. It was read by its content.",
        "read by content",
    ),
    Kind(
        "near_duplicates",
        "info",
        "Images that look alike, also mirrored ones, are no independent evidence: they "
        "stay on one side of the split.",
        "kept in one group",
    ),
    Kind(
        "unusual_mode",
        "info",
        "Not 8-bit grey or RGB: 16 bits, a palette, CMYK or transparency.",
        "converted to 8-bit RGB",
    ),
    Kind(
        "exif_orientation",
        "info",
        "The camera was turned, and the file says so.",
        "turned upright",
    ),
    Kind(
        "not_square",
        "info",
        "Most images are no squares. preparation.fit says how they become some.",
        "brought to a square",
    ),
    Kind(
        "sizes_scaled",
        "info",
        "The two sides have the same shape at different sizes.",
        "resized, each side by itself",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All kinds by name, the most severe first."""

ALWAYS_LEFT_OUT = frozenset(
    [kind.name for kind in _KINDS if kind.severity == "error"] + ["duplicate_pair"]
)
"""Kinds whose pairs can never be used."""


@dataclass(frozen=True)
class Observation:
    """Something that was found about a pair.

    Attributes:
        kind: Name of its kind.
        detail: What exactly, such as the sizes that differ; may be empty.
    """

    kind: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Kind and detail in words."""
        label = KINDS[self.kind].label
        return f"{label}: {self.detail}" if self.detail else label


def tabulate(
    names: Sequence[str],
    observations: Sequence[Sequence[Observation]],
    left_out: Sequence[bool],
) -> pd.DataFrame:
    """Gather observations into a table of findings.

    Args:
        names: What each pair is called in examples.
        observations: What was found about each pair.
        left_out: Whether it was left out.

    Returns:
        One row a kind that was found, the most severe first, with ``COLUMNS``.
    """
    rows = []
    for kind in _KINDS:
        found = [
            number
            for number, seen in enumerate(observations)
            if any(observation.kind == kind.name for observation in seen)
        ]
        if found:
            examples = sorted(names[number] for number in found)[:_EXAMPLES]
            rows.append(
                {
                    "finding": kind.name,
                    "severity": kind.severity,
                    "count": len(found),
                    "examples": " | ".join(examples),
                    "action": _tell_action(kind, [left_out[n] for n in found]),
                    "explanation": kind.explanation,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"count": "Int64"})


def refuse_fatal(findings: pd.DataFrame, fatal: Sequence[str]) -> None:
    """Stop where something was found that the user calls fatal.

    Args:
        findings: The table of findings.
        fatal: Names of kinds.

    Raises:
        FatalFindingsError: There are findings of such a kind.
    """
    stopping = findings[findings["finding"].isin(list(fatal))]
    if not stopping.empty:
        listed = "\n".join(
            f"  - {row['finding']}: {row['count']}, such as {row['examples']}"
            for row in stopping.to_dict("records")
        )
        raise FatalFindingsError(
            f"audit.fatal: the data have findings that are fatal:\n{listed}\n"
            "Mend the data, or take the name out of audit.fatal; manifest.csv and "
            "findings.csv list everything"
        )


def _tell_action(kind: Kind, left_out: Sequence[bool]) -> str:
    dropped = sum(left_out)
    if dropped == len(left_out):
        return LEFT_OUT_ACTION
    if not dropped:
        return kind.action
    return f"{kind.action}; {dropped} {LEFT_OUT_ACTION}, some for other reasons"
