"""Contents of reports and one page, made once; what changes them makes a copy."""

import pytest

from image_translation.reporting.page import render_report
from image_translation.reporting.report_content import ReportContent
from tests.reporting.examples import make_content


@pytest.fixture(scope="session")
def content() -> ReportContent:
    """Four photographs: too few for any claim."""
    return make_content()


@pytest.fixture(scope="session")
def large() -> ReportContent:
    """Twelve photographs, two trainings of each model, one model failed."""
    return make_content(
        n_photographs=12, crops=3, replicates=2, gallery=2, without=["autoencoder_gan"]
    )


@pytest.fixture(scope="session")
def crashed() -> ReportContent:
    """Twelve photographs, three trainings of each model; the last of pix2pix failed."""
    return make_content(
        n_photographs=12, crops=3, replicates=3, gallery=2, failed=["pix2pix"]
    )


@pytest.fixture(scope="session")
def once() -> ReportContent:
    """Twelve photographs, one training of each model."""
    return make_content(n_photographs=12, crops=3, gallery=2)


@pytest.fixture(scope="session")
def page(content: ReportContent) -> str:
    return render_report(content)


@pytest.fixture(scope="session")
def large_page(large: ReportContent) -> str:
    return render_report(large)
