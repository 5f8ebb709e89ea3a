"""Training one replicate of a model, from settings to a folder with weights."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from image_translation.common.errors import InputError
from image_translation.common.memory import keep_freed_memory
from image_translation.common.names import TRAIN, VALIDATION
from image_translation.common.stamps import note_work
from image_translation.common.torch_threads import torch_threads
from image_translation.networks import MeanTarget
from image_translation.pairing.arrays import PairArrays
from image_translation.training.cost import known_cost
from image_translation.training.devices import pick_device
from image_translation.training.interruption import Stopped
from image_translation.training.loop import end_epoch, train_epochs
from image_translation.training.observer import Observer
from image_translation.training.processes import any_process, is_first, rank_and_world
from image_translation.training.resume import Checkpoints, resume_or_start
from image_translation.training.run import Run
from image_translation.training.run_folder import RunFolder
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState
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
    run_folder = RunFolder(folder, settings, train, validation, replicate, name)
    _check(settings, train, validation)
    finished = run_folder.find_finished()
    is_stale = finished is None or settings.training.force
    note_work(is_stale, run_folder.name, run_folder.explain() if is_stale else "")
    if finished is not None and not is_stale:
        logger.info("%s is up to date", run_folder.name)
        return finished

    with torch_threads.fixed(settings.training.fixed_threads):
        return _train(run_folder, observers if is_first() else ())


def _train(run_folder: RunFolder, observers: Sequence[Observer]) -> TrainedReplicate:
    run, settings = _start(run_folder, observers), run_folder.settings
    train, replicate = run_folder.train, run_folder.replicate
    cost = known_cost(run.state, train.image_size, run.device)
    for observer in run.observers:
        observer.on_start(replicate, run_folder.path, settings, cost)
    failure = None
    if settings.is_trainable:
        failure = train_epochs(run)
    else:
        _fit_baseline(run)
    trained = run_folder.finish(run.state, cost, failure)
    for observer in run.observers:
        observer.on_end(trained)
    if any_process(run.stop.number is not None):  # received after the last step
        raise Stopped(
            f"{run_folder.name} was finished when it was stopped; the remaining work "
            "continues when the same command is run again",
            run.stop.number or 0,
        )
    return trained


def _check(settings: ModelSettings, train: PairArrays, validation: PairArrays) -> None:
    for subset, pairs in ((TRAIN, train), (VALIDATION, validation)):
        if len(pairs) == 0:
            raise InputError(
                f"the {subset} subset has no pairs; raise its share in "
                "splitting.fractions or add images to the source"
            )
    for parameter, problem in settings.find_unsuitable(train.image_size):
        raise InputError(f"{parameter}: {problem}")


def _start(folder: RunFolder, observers: Sequence[Observer]) -> Run:
    """Build the networks, and resume or start."""
    training = folder.settings.training
    device = pick_device(training.device, training.precision)
    if device.kind == "cpu":
        keep_freed_memory()
    image_size = folder.train.image_size
    state = TrainingState.start(folder.settings, image_size, folder.seed, device.kind)
    run = Run(folder, device, state, Checkpoints(folder), observers)
    if is_first():
        folder.reopen()
    resume_or_start(run.checkpoints, state)
    rank, _ = rank_and_world()
    if rank:  # dropout differs between processes
        torch.manual_seed(torch.initial_seed() + rank)
    return run


def _fit_baseline(run: Run) -> None:
    """Validate a network that is not trained."""
    if isinstance(run.state.generator, MeanTarget):
        run.state.generator.set_mean(run.folder.train.targets)
    end_epoch(run, 0, {})
