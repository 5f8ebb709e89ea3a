"""Scoring a few images at a time, on all cores, in bounded memory."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from image_translation.memory import keep_freed_memory

VALUES_AT_ONCE = 2**16
"""Of a chunk: measured, what stays in a core's cache."""

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
Result = TypeVar("Result")


class Chunk:
    """A few predictions with their targets, and what several metrics need of them.

    Attributes:
        predictions: uint8, n×H×W×C.
        targets: uint8, n×H×W×C.
    """

    def __init__(self, predictions: Images, targets: Images) -> None:
        self.predictions = predictions
        self.targets = targets
        self._made: dict[Callable[[Chunk], Any], Any] = {}

    def once(self, make: "Callable[[Chunk], Result]") -> Result:
        """What a function makes of this chunk; asked again, the same as before."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]


def score_in_chunks(
    function: Callable[[Chunk], Scores], predictions: Images, targets: Images
) -> Scores:
    """One value an image, by a function of chunks of both.

    Args:
        function: Gives n values for a chunk of n images.
        predictions: uint8, N×H×W×C.
        targets: uint8, N×H×W×C.

    Raises:
        ValueError: The arrays are not uint8, not N×H×W×C or not of one shape.
    """
    parts = map_chunks(function, predictions, targets)
    return np.concatenate([np.empty(0), *parts])


def map_chunks(
    function: Callable[[Chunk], Result], predictions: Images, targets: Images
) -> list[Result]:
    """What a function gives for every chunk of both, in order.

    NumPy releases the interpreter's lock in its inner loops, so threads do. Its matrix
    products have threads of their own, which would get into the way of these.

    Raises:
        ValueError: As for `score_in_chunks`.
    """
    keep_freed_memory()
    predictions, targets = _checked(predictions, targets)

    def work(chunk: slice) -> Result:
        return function(Chunk(predictions[chunk], targets[chunk]))

    chunks = list(_chunks(predictions.shape))
    if len(chunks) < 2:
        return [work(chunk) for chunk in chunks]
    with (
        _thread_pools().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(min(os.cpu_count() or 1, len(chunks))) as pool,
    ):
        return list(pool.map(work, chunks))


@cache
def _thread_pools() -> ThreadpoolController:
    """Those of the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


def _chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    images, *image = shape
    size = max(1, VALUES_AT_ONCE // int(np.prod(image)))
    for start in range(0, images, size):
        yield slice(start, start + size)


def _checked(predictions: Images, targets: Images) -> tuple[Images, Images]:
    predictions, targets = np.asarray(predictions), np.asarray(targets)
    for name, images in (("predictions", predictions), ("targets", targets)):
        if images.dtype != np.uint8:
            raise ValueError(f"{name} must be uint8 in 0–255, not {images.dtype}")
        if images.ndim != 4:
            raise ValueError(f"{name} must be N×H×W×C, not of shape {images.shape}")
    if predictions.shape != targets.shape:
        raise ValueError(
            f"predictions and targets must have one shape, "
            f"not {predictions.shape} and {targets.shape}"
        )
    if 0 in predictions.shape[1:]:
        raise ValueError(f"images without pixels: shape {predictions.shape}")
    return predictions, targets
