"""What kedro-viz shows of a dataset."""

import base64
import io

import numpy as np
import pandas as pd
from kedro_datasets._typing import ImagePreview, TablePreview
from numpy.typing import NDArray

from image_translation.imaging.sheet import contact_sheet

SIGNIFICANT_DIGITS = 4
COLUMNS, ROWS = 6, 4
"""Images in a preview; the panel that shows it is half as wide again as high."""


def preview_images(*sides: NDArray[np.uint8]) -> ImagePreview:
    """Images as one picture, in the form that kedro-viz takes.

    Args:
        *sides: Each uint8, n×H×W×3; what belongs together stands one below the other.
    """
    rows = [
        side[start : start + COLUMNS]
        for start in range(0, len(sides[0]), COLUMNS)
        for side in sides
    ]
    buffer = io.BytesIO()
    contact_sheet(rows).save(buffer, "PNG")
    return ImagePreview(base64.b64encode(buffer.getvalue()).decode())


def preview_table(table: pd.DataFrame) -> TablePreview:
    """A table in the form that kedro-viz takes, rounded to what a person reads."""
    rounded = table.copy()
    for name in table.select_dtypes("float"):
        rounded[name] = table[name].map(_rounded)
    # JSON knows no NaN.
    whole = rounded.astype(object).where(table.notna(), None)
    return TablePreview(whole.to_dict(orient="split"))


def _rounded(number: float) -> float:
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}")
