"""Previews of datasets in kedro-viz."""

import base64
import io
from typing import Any, NewType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.imaging.contact_sheet import contact_sheet

ImagePreview = NewType("ImagePreview", str)
TablePreview = NewType("TablePreview", dict[str, Any])
PlotlyPreview = NewType("PlotlyPreview", dict[str, Any])
"""Results of a dataset's ``preview``; kedro-viz recognizes their kind by these names."""

SIGNIFICANT_DIGITS = 4
COLUMNS, ROWS = 6, 4
"""Number of images in a preview; the panel has an aspect ratio of 3:2."""


def preview_images(*images: NDArray[np.uint8]) -> ImagePreview:
    """Images as one picture, in the format of kedro-viz.

    Args:
        *images: Each uint8, n×H×W×3; corresponding images are placed one below the
            other.
    """
    rows = [
        batch[start : start + COLUMNS]
        for start in range(0, len(images[0]), COLUMNS)
        for batch in images
    ]
    buffer = io.BytesIO()
    contact_sheet(rows).save(buffer, "PNG")
    return ImagePreview(base64.b64encode(buffer.getvalue()).decode())


def preview_table(table: pd.DataFrame) -> TablePreview:
    """A table in the format of kedro-viz, rounded for display."""
    rounded = table.copy()
    for name in table.select_dtypes("float"):
        rounded[name] = table[name].map(_rounded)
    # JSON has no NaN
    whole = rounded.astype(object).where(table.notna(), None)
    return TablePreview(whole.to_dict(orient="split"))


def _rounded(number: float) -> float:
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}")
