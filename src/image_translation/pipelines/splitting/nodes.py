"""Nodes of the splitting pipeline."""

import pandas as pd

from image_translation.pairing.findings import raise_on_fatal
from image_translation.pairing.manifest import log_findings
from image_translation.pairing.settings import AuditSettings, SplittingSettings
from image_translation.pairing.split import split_pairs
from image_translation.sources import Source


def assign_subsets(
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    previous: pd.DataFrame | None,
    source: Source,
    splitting: SplittingSettings,
    audit: AuditSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign every used pair to a subset; known pairs keep theirs.

    Returns:
        The split, and the pairs excluded because they would connect subsets.

    Raises:
        InputError: There are findings of ``audit.fatal``.
    """
    log_findings(manifest, findings)
    raise_on_fatal(findings, audit.fatal)
    return split_pairs(manifest, previous, splitting, source)
