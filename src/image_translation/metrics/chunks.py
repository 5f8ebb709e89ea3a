"""Score images in small chunks, on all cores and in bounded memory."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, update_wrapper
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from image_translation.common.memory import keep_freed_memory
from image_translation.common.threads import usable_cores

logger = logging.getLogger(__name__)

VALUES_AT_ONCE = 2**16
"""Values per chunk; measured: chunks of this size stay in the cache of a core."""

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
Result = TypeVar("Result")


def pair_batches(
    predictions: Iterable[Images], targets: Images
) -> Iterator[tuple[Images, Images]]:
    """Iterate over batches of predictions with their targets.

    Args:
        predictions: Batches, uint8, n×H×W×C, N images in total.
        targets: uint8, N×H×W×C; may be memory-mapped.

    Raises:
        ValueError: The numbers of predictions and targets differ.
    """
    done = 0
    for batch in predictions:
        stop = done + len(batch)
        if stop > len(targets):
            raise ValueError(f"more predictions than the {len(targets)} targets")
        yield batch, targets[done:stop]
        done = stop
        logger.debug("processed %s of %s images", done, len(targets))
    if done < len(targets):
        raise ValueError(f"{done} predictions for {len(targets)} targets")


class Chunk:
    """A few predictions with their targets, and intermediate results of metrics.

    Attributes:
        predictions: uint8, n×H×W×C.
        targets: uint8, n×H×W×C.
    """

    def __init__(self, predictions: Images, targets: Images) -> None:
        self.predictions = predictions
        self.targets = targets
        self._made: dict[Callable[[Chunk], Any], Any] = {}

    def once(self, make: "Callable[[Chunk], Result]") -> Result:
        """Return ``make(self)``; computed once per chunk and function."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]


class ImageScore:
    """A metric of single images; a decorator for its function of a chunk.

    Args:
        of_chunk: Returns n values for a chunk of n images.
    """

    def __init__(self, of_chunk: Callable[[Chunk], Scores]) -> None:
        self.of_chunk = of_chunk
        update_wrapper(self, of_chunk)

    def __call__(self, predictions: Images, targets: Images) -> Scores:
        """Score every image.

        Args:
            predictions: uint8, N×H×W×C.
            targets: uint8, N×H×W×C.

        Returns:
            N values.

        Raises:
            ValueError: The arrays are not uint8, not N×H×W×C, or differ in shape.
        """
        parts = map_chunks(self.of_chunk, predictions, targets)
        return np.concatenate([np.empty(0), *parts])


def map_chunks(
    function: Callable[[Chunk], Result], predictions: Images, targets: Images
) -> list[Result]:
    """Apply a function to every chunk and return the results in order.

    Chunks run in threads, because NumPy releases the interpreter's lock in its inner
    loops. BLAS is limited to one thread each, so that its threads do not compete with
    these.

    Raises:
        ValueError: As for `ImageScore`.
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
        ThreadPoolExecutor(min(usable_cores(), len(chunks))) as pool,
    ):
        return list(pool.map(work, chunks))


@cache
def _thread_pools() -> ThreadpoolController:
    """Thread pools of the loaded libraries; cached, as the search takes milliseconds."""
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
            raise ValueError(f"{name} must be N×H×W×C, not {images.shape}")
    if predictions.shape != targets.shape:
        raise ValueError(
            f"predictions and targets must have the same shape, "
            f"not {predictions.shape} and {targets.shape}"
        )
    if 0 in predictions.shape[1:]:
        raise ValueError(f"images have no pixels: shape {predictions.shape}")
    return predictions, targets
