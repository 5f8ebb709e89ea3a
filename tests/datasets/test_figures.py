import base64
import inspect
import json
import subprocess
import sys

import pytest
from plotly.graph_objects import Figure, Scatter

from image_translation.common.stamps import Stamped
from image_translation.datasets.figures import (
    CheckedPlotlyDataset,
    CheckedPNGDataset,
    FingerprintedPlotlyDataset,
    FingerprintedPNGDataset,
)

PNG = b"\x89PNG\r\n\x1a\nbytes"


@pytest.fixture
def chart():
    return Figure([Scatter(x=[1, 2], y=[3.5, 4.5], name="psnr")])


def kind_of_preview(dataset):
    """The name by which kedro-viz recognizes a preview."""
    return inspect.signature(dataset.preview).return_annotation.__name__


def test_plotly_figure_survives_a_round_trip(tmp_path, chart):
    dataset = CheckedPlotlyDataset(filepath=str(tmp_path / "chart.json"))
    dataset.save(chart)
    assert dataset.load() == chart
    assert dataset.preview() == json.loads(chart.to_json())
    assert kind_of_preview(dataset) == "PlotlyPreview"


def test_fingerprinted_plotly_figure_is_kept_while_it_is_up_to_date(tmp_path, chart):
    dataset = FingerprintedPlotlyDataset(filepath=str(tmp_path / "chart.json"))
    dataset.save(Stamped("f", chart))
    dataset.save(Stamped("f", None))
    assert dataset.load() == chart
    assert dataset.stored_fingerprints() == {"f"}


@pytest.mark.parametrize("kind", [CheckedPNGDataset, FingerprintedPNGDataset])
def test_png_is_written_as_it_is_and_shown_by_kedro_viz(tmp_path, kind):
    dataset = kind(filepath=str(tmp_path / "chart.png"))
    is_stamped = kind is FingerprintedPNGDataset
    dataset.save(Stamped("f", PNG) if is_stamped else PNG)
    assert (tmp_path / "chart.png").read_bytes() == dataset.load() == PNG
    assert base64.b64decode(dataset.preview()) == PNG
    assert kind_of_preview(dataset) == "ImagePreview"


def test_datasets_import_no_library_that_draws():
    code = (
        "import sys, image_translation.datasets.figures, image_translation.datasets.checked;"
        "print(sorted({'matplotlib', 'plotly', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
