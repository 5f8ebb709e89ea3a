"""What kedro-viz shows of a dataset."""

import base64
import io

import numpy as np
from kedro_datasets._typing import ImagePreview
from numpy.typing import NDArray

from image_translation.imaging.sheet import contact_sheet

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
