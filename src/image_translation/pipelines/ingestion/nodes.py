"""Nodes of the ingestion pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.pairing.manifest import build_manifest
from image_translation.pairing.settings import AuditSettings, PairingSettings
from image_translation.sources import Source, open_source


def list_source(source: str | None, folder: Path) -> Source:
    """Find the source's files, fetching or making them in ``folder`` if need be."""
    return open_source(source, folder)


def form_pairs(
    source: Source, pairing: dict[str, Any], audit: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Form pairs of a source's files, check each, and list them all.

    Returns:
        The manifest, and the audit's findings.
    """
    return build_manifest(
        source,
        PairingSettings.model_validate(pairing),
        AuditSettings.model_validate(audit),
    )
