"""Chance that depends on the image alone."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def generator_for(image: NDArray[np.uint8], seed: int) -> np.random.Generator:
    """A random generator seeded by an image's pixels.

    The same image gives the same stream, whatever its file is called and whichever
    thread comes first; two images give streams that have nothing in common.

    Args:
        image: uint8, H×W×3.
        seed: Another seed gives every image another stream.
    """
    sha = hashlib.sha256(f"{seed} {image.shape}".encode())
    sha.update(np.ascontiguousarray(image).data)
    return np.random.default_rng(int.from_bytes(sha.digest(), "big"))
