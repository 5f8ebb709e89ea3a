"""Nodes of the splitting pipeline."""

from typing import Any

import pandas as pd

from image_translation.pairing.findings import refuse_fatal
from image_translation.pairing.manifest import log_findings
from image_translation.pairing.settings import AuditSettings, SplittingSettings
from image_translation.pairing.split import split_pairs
from image_translation.sources import Source


def assign_sides(
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    previous: pd.DataFrame | None,
    source: Source,
    splitting: dict[str, Any],
    audit: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every used pair a side; known pairs keep theirs.

    Returns:
        The split, and the pairs left out because they would tie sides together.

    Raises:
        InputError: The audit found what the user calls fatal.
    """
    log_findings(manifest, findings)
    refuse_fatal(findings, AuditSettings.model_validate(audit).fatal)
    settings = SplittingSettings.model_validate(splitting)
    return split_pairs(manifest, previous, settings, source)
