"""Training one replicate of a model, unless it is up to date."""

import logging
from collections.abc import Sequence
from pathlib import Path

from image_translation.common.errors import InputError
from image_translation.common.names import TRAIN, VALIDATION
from image_translation.common.stamps import note_work
from image_translation.pairing.arrays import PairArrays
from image_translation.training.observer import Observer
from image_translation.training.output_choice import resolve_output
from image_translation.training.run_folder import RunFolder
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import TrainedReplicate

logger = logging.getLogger(__name__)


def fit(
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    *,
    replicate: int = 0,
    name: str | None = None,
    observers: Sequence[Observer] = (),
) -> TrainedReplicate:
    """Train a model, or return the result of an earlier training if it is up to date.

    An interrupted training resumes at its last checkpoint and ends with the same weights
    as an uninterrupted one. On Ctrl-C or SIGTERM a checkpoint is saved first. A training
    that diverges ends early, with the best weights so far (`TrainedReplicate.failure`).

    Under torchrun, all processes call this function; the first one writes files and
    notifies the observers.

    Args:
        settings: Network, objective, training and inference.
        train: Pairs to learn from, S×S pixels.
        validation: Pairs that choose the epoch.
        folder: Folder of ``weights.safetensors`` (of the best epoch), ``config.json``,
            ``history.csv`` and, during training, the checkpoints.
        replicate: Number of the replicate; added to the seed.
        name: Name of the model in the log; by default the network's.
        observers: Notified of every epoch.

    Raises:
        InputError: There are no pairs, or a parameter cannot be satisfied.
        Stopped: A signal requested a stop.
    """
    settings = resolve_output(settings, train)
    run_folder = RunFolder(folder, settings, train, validation, replicate, name)
    _check(settings, train, validation)
    finished = run_folder.find_finished()
    is_stale = finished is None or settings.training.force
    note_work(is_stale, run_folder.name, run_folder.explain() if is_stale else "")
    if finished is not None and not is_stale:
        logger.info("%s is up to date", run_folder.name)
        return finished

    # Without training, torch is not needed: its import takes more than a second.
    from image_translation.training.trainer import train_replicate

    return train_replicate(run_folder, observers)


def _check(settings: ModelSettings, train: PairArrays, validation: PairArrays) -> None:
    for subset, pairs in ((TRAIN, train), (VALIDATION, validation)):
        if len(pairs) == 0:
            raise InputError(
                f"the {subset} subset has no pairs; raise its share in "
                "splitting.fractions or add images to the source"
            )
    for parameter, problem in settings.find_unsuitable(train.image_size):
        raise InputError(f"{parameter}: {problem}")
