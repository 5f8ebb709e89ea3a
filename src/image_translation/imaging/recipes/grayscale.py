"""The recipe ``grayscale``: a photo's luma."""

import numpy as np
from numpy.typing import NDArray

from image_translation.imaging.luma import LUMA_WEIGHTS


def grayscale(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of ITU-R BT.601 in three equal channels.

    Y' = 0.299 R' + 0.587 G' + 0.114 B' on the gamma-encoded values, rounded.

    Args:
        image: uint8, H×W×3, sRGB.

    Returns:
        uint8, H×W×3.

    >>> grayscale(np.uint8([[[255, 0, 0]]])).tolist()
    [[[76, 76, 76]]]
    """
    thousandths = (1000 * LUMA_WEIGHTS).round().astype(np.uint32)
    weighted = image.astype(np.uint32) @ thousandths  # exact, unlike in floats
    luma = ((weighted + 500) // 1000).astype(np.uint8)  # (H, W)
    return np.repeat(luma[..., None], 3, axis=2)
