"""Checkpoints of a training, and the state in which it starts."""

import logging
import time
from dataclasses import dataclass, field

from image_translation.training.checkpoint import load_checkpoint, save_checkpoint
from image_translation.training.processes import any_process, is_first
from image_translation.training.results import save_history
from image_translation.training.run_folder import CHECKPOINT, PREVIOUS, RunFolder
from image_translation.training.state import TrainingState, dump, restore
from image_translation.training.trained import WEIGHTS
from image_translation.training.warm_start import (
    find_start,
    keep_previous_weights,
    load_start,
)

logger = logging.getLogger(__name__)


@dataclass
class Checkpoints:
    """The two latest checkpoints of a training.

    Attributes:
        folder: Folder of the training.
        saved_at: Time of the last attempt to save.
    """

    folder: RunFolder
    saved_at: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """True if ``training.checkpoint_minutes`` have passed since the last one."""
        minutes = (time.monotonic() - self.saved_at) / 60
        return minutes >= self.folder.settings.training.checkpoint_minutes

    def save(self, state: TrainingState) -> bool:
        """Save a checkpoint. If that fails, log it and keep the previous one.

        Returns:
            False if it failed; always true in processes that write no files.
        """
        self.saved_at = time.monotonic()
        if not is_first():
            return True
        path = self.folder.path
        content = {"fingerprint": str(self.folder.fingerprint), **dump(state)}
        try:
            save_checkpoint(path / CHECKPOINT, content, path / PREVIOUS)
        except (OSError, RuntimeError) as error:
            logger.error(
                "%s: could not save a checkpoint in %s (%s); keeping the last good one",
                self.folder.name,
                path,
                error,
            )
            return False
        return True

    def restore(self, state: TrainingState) -> bool:
        """Set a state to the latest usable checkpoint; false if there is none."""
        path = self.folder.path
        for file in (CHECKPOINT, PREVIOUS):
            dumped = load_checkpoint(path / file, self.folder.fingerprint)
            has_weights = (path / WEIGHTS).is_file()
            if dumped and (has_weights or dumped["best_epoch"] is None):
                restore(state, dumped)
                return True
        return False


def resume_or_start(checkpoints: Checkpoints, state: TrainingState) -> None:
    """Resume from a checkpoint; without one, or with ``training.force``, start anew.

    A new training starts from the initial weights of the state, or from those that
    ``training.warm_start`` names, and removes the results of an earlier one.
    """
    folder = checkpoints.folder
    if not folder.settings.training.force and checkpoints.restore(state):
        if is_first():
            save_history(state.history, folder.path)
        logger.info(
            "Resuming %s in epoch %d at batch %d",
            folder.name,
            state.epoch + 1,
            state.batches + 1,
        )
        return
    if is_first():
        keep_previous_weights(folder.settings, folder.path)
    any_process(True)  # the others wait until the weights are where they are expected
    start = find_start(folder.settings, folder.path)
    if start is not None:
        for network in {state.generator, state.translator}:
            load_start(network, start)
    if is_first():
        folder.clear()
