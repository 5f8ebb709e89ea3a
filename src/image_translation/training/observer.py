"""Who wants to know how a training goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from image_translation.training.settings import ModelSettings

if TYPE_CHECKING:
    from image_translation.training.trained import TrainedReplicate


class Observer(Protocol):
    """Is told of a training while it runs; what it raises ends the training.

    A training that is continued tells `on_start` again and goes on with the epoch that
    follows the last checkpoint; the epoch that was cut off is told once more. At that
    moment a continued training has a ``history.csv`` in its folder, a new one has none:
    by that an observer knows whether an identifier it left there is still good.
    """

    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """Take note that a replicate starts or goes on.

        Args:
            replicate: Its number, from 0.
            folder: Its folder, which exists.
            settings: The model's settings.
            cost: What is known beforehand: ``parameters``, ``discriminator_parameters``,
                ``gmac``, ``device``, ``precision``.
        """

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Take note of an epoch.

        Args:
            epoch: Its number; 0 is before the first step, and all there is of a baseline.
            metrics: What applies of a row of the history: ``seconds``,
                ``images_per_second``, losses (``train/…``) and ``validation/…``; none
                before the first step.
            samples: H×W×3, one row a validation pair, always the same pairs:
                input | prediction | target.
        """

    def on_end(self, trained: "TrainedReplicate") -> None:
        """Take note that a replicate is finished and on disk."""
