"""Nodes of the splitting pipeline."""

import pandas as pd

from image_translation.pairing.findings import raise_on_fatal
from image_translation.pairing.settings import AuditSettings, SplittingSettings
from image_translation.pairing.split import join_assignments, split_pairs
from image_translation.sources import Source


def assign_subsets(
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    previous: pd.DataFrame | None,
    assignments: pd.DataFrame | None,
    source: Source,
    splitting: SplittingSettings,
    audit: AuditSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Assign every used pair to a subset; known pairs keep theirs.

    Args:
        manifest: All pairs found.
        findings: Findings of the audit.
        previous: The previous split, or None.
        assignments: The subset of every pair of all earlier splits, or None.
        source: The source of the pairs.
        splitting: Shares of the subsets, their folders, and the groups.
        audit: Findings that stop the run.

    Returns:
        The split, the pairs excluded because they would connect subsets, and the new
        assignments.

    Raises:
        InputError: There are findings of ``audit.fatal``.
    """
    raise_on_fatal(findings, audit.fatal)
    known = join_assignments(assignments, previous)
    split, tied = split_pairs(manifest, known, splitting, source)
    return split, tied, join_assignments(known, split)
