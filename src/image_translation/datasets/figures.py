"""Figures: pictures as PNG, and charts that Plotly draws.

Matplotlib and Plotly are imported by the code that draws, and only if a figure is stale.
"""

import base64
import json
from typing import TYPE_CHECKING, Any

from kedro_datasets.json import JSONDataset
from kedro_datasets.text import TextDataset

from image_translation.datasets.checked import Checked
from image_translation.datasets.fingerprinted import Fingerprinted
from image_translation.datasets.previews import ImagePreview, PlotlyPreview

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class PNGDataset(TextDataset):
    """The bytes of a PNG file."""

    def __init__(self, **config: Any) -> None:
        binary = {"open_args_save": {"mode": "wb"}, "open_args_load": {"mode": "rb"}}
        super().__init__(**{"fs_args": binary, **config})

    def preview(self) -> ImagePreview:
        """The picture."""
        return ImagePreview(base64.b64encode(self.load()).decode())


class PlotlyDataset(JSONDataset):
    """A figure of Plotly, as JSON."""

    def load(self) -> "Figure":
        """The figure."""
        from plotly.graph_objects import Figure

        return Figure(super().load())

    def save(self, data: "Figure") -> None:
        """Write the figure."""
        super().save(json.loads(data.to_json()))

    def preview(self) -> PlotlyPreview:
        """The figure."""
        return PlotlyPreview(super().load())


class CheckedPNGDataset(Checked, PNGDataset):
    """A PNG file, written atomically and checked."""


class FingerprintedPNGDataset(Fingerprinted, PNGDataset):
    """A PNG file with a fingerprint.

    Example:
        ```yaml
        sample_grid:
          type: image_translation.datasets.figures.FingerprintedPNGDataset
          filepath: data/08_reporting/colorization/sample_grid.png
        ```
    """


class CheckedPlotlyDataset(Checked, PlotlyDataset):
    """A figure of Plotly, written atomically and checked."""


class FingerprintedPlotlyDataset(Fingerprinted, PlotlyDataset):
    """A figure of Plotly with a fingerprint."""
