"""Observer protocol for training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from image_translation.training.settings import ModelSettings

if TYPE_CHECKING:
    from image_translation.training.trained import TrainedReplicate


class Observer(Protocol):
    """Receives the events of a training; exceptions propagate and stop the training.

    A resumed training calls `on_start` again and continues with the epoch after the last
    checkpoint; an interrupted epoch is reported again. In `on_start`, the folder of a
    resumed training has a ``history.csv`` and that of a new one has none: by that an
    observer knows whether an identifier in the folder is still valid.
    """

    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """A replicate starts or resumes.

        Args:
            replicate: Its number, from 0.
            folder: Its folder, which exists.
            settings: The model's settings.
            cost: ``parameters``, ``discriminator_parameters``, ``gmac``, ``device`` and
                ``precision``.
        """

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """An epoch has ended.

        Args:
            epoch: Its number; 0 before the first step, and for a baseline.
            metrics: The row of the history: ``seconds``, ``images_per_second``, losses
                (``train/…``) and ``validation/…``; empty before the first step.
            samples: H×W×3, one row for each of the same validation pairs:
                input | prediction | target.
        """

    def on_end(self, trained: "TrainedReplicate") -> None:
        """A replicate is finished and on disk."""
