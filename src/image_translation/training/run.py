"""A training in progress: what its functions share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from image_translation.pairing.arrays import PairArrays
from image_translation.training.devices import Device
from image_translation.training.interruption import (
    Stopped,
    StopRequest,
    resume_hint,
)
from image_translation.training.observer import Observer
from image_translation.training.processes import any_process
from image_translation.training.resume import Checkpoints
from image_translation.training.run_folder import RunFolder
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState


@dataclass
class Run:
    """A training in progress.

    Attributes:
        folder: Settings, pairs and files.
        device: Device and precision.
        state: Networks, optimizers and progress.
        checkpoints: The saved states.
        observers: Notified of every epoch; none in processes other than the first.
        stop: Set by a signal.
    """

    folder: RunFolder
    device: Device
    state: TrainingState
    checkpoints: Checkpoints
    observers: Sequence[Observer] = ()
    stop: StopRequest = field(default_factory=StopRequest)

    @property
    def settings(self) -> ModelSettings:
        return self.folder.settings

    @property
    def validated(self) -> tuple[PairArrays, ModelSettings, int]:
        """Validation pairs, settings and seed: the arguments of a validation."""
        return self.folder.validation, self.settings, self.folder.seed

    def report_epoch(
        self, row: Mapping[str, float], samples: NDArray[np.uint8]
    ) -> None:
        """Notify all observers of an epoch, even if a signal stops one of them.

        Raises:
            Stopped: A signal stopped an observer.
        """
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        stop = None
        for observer in self.observers:
            try:
                observer.on_epoch(int(row["epoch"]), metrics, samples)
            except Stopped as stopped:
                stop = stopped
        if stop is not None:
            raise stop

    def stop_if_asked(self) -> None:
        """Between two steps: save a checkpoint and stop if a signal was received.

        Raises:
            Stopped: A process received a signal.
        """
        if any_process(self.stop.number is not None):
            self.save_and_stop()

    def save_and_stop(self) -> NoReturn:
        """Save a checkpoint and stop.

        Raises:
            Stopped: Always.
        """
        training = self.settings.training
        is_saved = self.checkpoints.save(self.state)
        hint = resume_hint(training.force) if is_saved else "no checkpoint was saved"
        raise Stopped(
            f"{self.folder.name} was stopped in epoch {self.state.epoch + 1} of "
            f"{training.epochs}; {hint}",
            self.stop.number or 0,
        )
