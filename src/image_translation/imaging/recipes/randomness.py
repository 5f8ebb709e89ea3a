"""Random generators seeded by image content."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def generator_for(image: NDArray[np.uint8], seed: int) -> np.random.Generator:
    """A random generator seeded by an image's pixels.

    The same image gives the same stream, whatever its file name and the order of
    threads; two images give independent streams.

    Args:
        image: uint8, H×W×3.
        seed: A different seed gives every image a different stream.
    """
    sha = hashlib.sha256(f"{seed} {image.shape}".encode())
    sha.update(np.ascontiguousarray(image).data)
    return np.random.default_rng(int.from_bytes(sha.digest(), "big"))
