"""The embedded digits: scikit-learn's copy of a data set of handwritten digits."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32
"""Width and height of a written digit in pixels, four times those of the data set."""

CREDIT = (
    "Optical recognition of handwritten digits, E. Alpaydin and C. Kaynak, UCI Machine "
    "Learning Repository, CC BY 4.0; the test set, as scikit-learn ships it"
)

_MAX_INK = 16  # maximum value in the data set


def write_digits(root: Path) -> None:
    """Write the 1,797 digits, light on black: ``<label>/<number>.png``, grey."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        ink = np.rint(image.reshape(8, 8) * (255 / _MAX_INK)).astype(np.uint8)
        large = Image.fromarray(ink).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        path = root / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        large.save(path)
