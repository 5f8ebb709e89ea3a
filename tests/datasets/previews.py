"""Previews as kedro-viz shows them."""

import base64
import io

import numpy as np
from PIL import Image

TILE = 96  # pixels of an image in a preview


def decode_preview(preview: str) -> np.ndarray:
    """The pixels of an image preview."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(preview))))
