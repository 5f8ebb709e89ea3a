"""Findings of the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd

from image_translation.common.errors import FatalFindingsError

Severity = Literal["error", "warning", "info"]

COLUMNS = ("finding", "severity", "count", "examples", "action", "explanation")
"""The columns of the table of findings."""

LEFT_OUT_ACTION = "left out"

_EXAMPLES = 3


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        name: Name in parameters and tables.
        severity: ``error``: the pair is unusable; ``warning``: the pair should be
            checked; ``info``: for information.
        explanation: Meaning and remedy, in a sentence or two.
        action: Action for such pairs if they are not excluded.
        is_shared: True for a fault of the whole data set: all observations have the
            same detail, which precedes the explanation in the table and the log.
    """

    name: str
    severity: Severity
    explanation: str
    action: str = "kept"
    is_shared: bool = False

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


_KINDS = (
    Kind(
        "unreadable",
        "error",
        "The file is not an image, is damaged, or cannot be opened. Download it again.",
    ),
    Kind(
        "truncated",
        "error",
        "The file ends before its image does, as after an interrupted download. "
        "Download it again.",
    ),
    Kind(
        "too_large",
        "error",
        "The image exceeds the limit of pixels: it could fill the memory. Reduce its "
        "size.",
    ),
    Kind(
        "no_partner",
        "error",
        "The other image of the pair was not found. Check file names and pairing.pattern.",
    ),
    Kind(
        "unequal_halves",
        "error",
        "A file with both images side by side must have an even width.",
    ),
    Kind(
        "duplicate_pair",
        "warning",
        "Both files also exist under another name. One copy is used, so that no "
        "picture counts twice or is in two subsets.",
    ),
    Kind(
        "input_equals_target",
        "warning",
        "A model cannot learn from it, and a copy of the input scores perfectly.",
    ),
    Kind(
        "repeated_target",
        "warning",
        "One target has different inputs: usually at most one of them is right. If all "
        "are, remove repeated_target from audit.leave_out.",
    ),
    Kind(
        "repeated_input",
        "warning",
        "One input has different targets. The pairs are assigned to the same subset.",
        "kept in one group",
    ),
    Kind(
        "misaligned",
        "warning",
        "The edges of the two images do not match, unlike those of most pairs: shifted, "
        "or another picture. Check it.",
    ),
    Kind(
        "unrelated",
        "warning",
        "The edges of the two images agree in no pair, as if they were of different "
        "scenes or turned. Check that names match the same scenes, that files which hold "
        "both images hold exactly two, side by side, and that both sides are upright.",
        is_shared=True,
    ),
    Kind(
        "one_sided_orientation",
        "warning",
        "Only one of the two images declares a rotation of the camera, and after "
        "turning it, the images do not agree: the other one was probably saved without "
        "being turned. Save both the same way.",
        is_shared=True,
    ),
    Kind(
        "unused_range",
        "warning",
        "The files have more than 8 bits and use only the lowest values, so images are "
        "almost black. Set preparation.white to the value that is white.",
        is_shared=True,
    ),
    Kind(
        "swapped",
        "warning",
        "The input resembles targets, and the target resembles inputs. Check it.",
    ),
    Kind(
        "colourless_target",
        "warning",
        "The target is grey, unlike most: it trains models to remove colour.",
    ),
    Kind(
        "sizes_differ",
        "warning",
        "The two images have different shapes, so one is stretched to fit the other.",
        "resized separately",
    ),
    Kind(
        "odd_size",
        "warning",
        "The image has a different shape from most. preparation.fit selects how it "
        "becomes a square.",
        "resized to a square",
    ),
    Kind(
        "extreme_size",
        "warning",
        "The image is far smaller or larger than most, or very long and narrow.",
        "resized",
    ),
    Kind(
        "wrong_extension",
        "warning",
        "The file has the suffix of another format. Its content determines the format.",
        "read by content",
    ),
    Kind(
        "near_duplicates",
        "info",
        "Similar images, also mirrored ones, are not independent evidence: they are "
        "assigned to the same subset.",
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
        "The file declares a rotation of the camera.",
        "turned upright",
    ),
    Kind(
        "several_frames",
        "info",
        "The file has several frames or pages.",
        "first one used",
    ),
    Kind(
        "not_square",
        "info",
        "Most images are not square. preparation.fit selects how they become squares.",
        "resized to a square",
    ),
    Kind(
        "sizes_scaled",
        "info",
        "The two images have the same shape at different sizes.",
        "resized separately",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All kinds by name, the most severe first."""

ALWAYS_LEFT_OUT = frozenset(
    [kind.name for kind in _KINDS if kind.severity == "error"] + ["duplicate_pair"]
)
"""Kinds whose pairs are always excluded."""


@dataclass(frozen=True)
class Observation:
    """A finding about one pair.

    Attributes:
        kind: Name of its kind.
        detail: Details, such as the sizes that differ; may be empty.
        file: Path of the one file that it is about; empty if it is about the pair.
    """

    kind: str
    detail: str = ""
    file: str = ""

    @property
    def text(self) -> str:
        label = KINDS[self.kind].label
        return f"{label}: {self.detail}" if self.detail else label


def tabulate(
    names: Sequence[str],
    observations: Sequence[Sequence[Observation]],
    left_out: Sequence[bool],
) -> pd.DataFrame:
    """Summarize observations in a table of findings.

    Args:
        names: Name of each pair, for examples.
        observations: Observations of each pair.
        left_out: Whether each pair is excluded.

    Returns:
        One row per kind found, the most severe first, with ``COLUMNS``.
    """
    rows = []
    for kind in _KINDS:
        of_kind = [[o for o in seen if o.kind == kind.name] for seen in observations]
        found = [number for number, seen in enumerate(of_kind) if seen]
        if found:
            examples = sorted(of_kind[n][0].file or names[n] for n in found)[:_EXAMPLES]
            text = "; ".join(o.detail for o in of_kind[found[0]])
            shared = f"{text[:1].upper()}{text[1:]}. " if kind.is_shared else ""
            rows.append(
                {
                    "finding": kind.name,
                    "severity": kind.severity,
                    "count": len(found),
                    "examples": " | ".join(examples),
                    "action": _describe_action(kind, [left_out[n] for n in found]),
                    "explanation": shared + kind.explanation,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"count": "Int64"})


def raise_on_fatal(findings: pd.DataFrame, fatal: Sequence[str]) -> None:
    """Raise an error for findings that the user declared fatal.

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
            f"audit.fatal: the data have fatal findings:\n{listed}\n"
            "Correct the data, or remove the name from audit.fatal; see manifest.csv "
            "and findings.csv"
        )


def _describe_action(kind: Kind, left_out: Sequence[bool]) -> str:
    dropped = sum(left_out)
    if dropped == len(left_out):
        return LEFT_OUT_ACTION
    if not dropped:
        return kind.action
    return f"{kind.action}; {dropped} {LEFT_OUT_ACTION}, some for other reasons"
