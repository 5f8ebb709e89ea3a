"""Nodes of the ingestion pipeline."""

from functools import partial
from pathlib import Path
from typing import Any

from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import Stamped, make_all_if_stale
from image_translation.pairing.layouts import check_folders
from image_translation.pairing.manifest import build_manifest, log_findings
from image_translation.pairing.settings import (
    AuditSettings,
    PairingSettings,
    PreparationSettings,
)
from image_translation.sources import Source, open_source


def list_source(source: str | None, folder: Path) -> Source:
    """List the source's files; download or generate them in ``folder`` if necessary."""
    return open_source(source, folder)


def form_pairs(
    source: Source,
    pairing: PairingSettings,
    audit: AuditSettings,
    preparation: PreparationSettings,
) -> tuple[Stamped[Any], ...]:
    """Form pairs from a source's files, and audit them.

    Files with unchanged name, size and time are not opened again. Findings are logged
    when they are new.

    Returns:
        The manifest, and the audit's findings.

    Raises:
        InputError: A sub-folder of ``pairing`` is missing, or there are no pairs.
    """
    check_folders(source, pairing)
    manifest, findings = make_all_if_stale(
        fingerprint(
            "image_translation.pairing.manifest.build_manifest",
            files=source,
            pairing=pairing,
            audit=audit,
            white=preparation.white,
        ),
        partial(build_manifest, source, pairing, audit, preparation.white),
        count=2,
    )
    if manifest.value is not None and findings.value is not None:
        log_findings(manifest.value, findings.value)
    return manifest, findings
