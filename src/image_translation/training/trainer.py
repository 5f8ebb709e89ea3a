"""Training one replicate of a model, from its settings to a folder with weights."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from image_translation.common.memory import keep_freed_memory
from image_translation.common.torch_threads import torch_threads
from image_translation.networks import MeanTarget
from image_translation.training.cost import known_cost
from image_translation.training.devices import Precision, pick_device
from image_translation.training.interruption import Stopped
from image_translation.training.loop import end_epoch, train_epochs
from image_translation.training.observer import Observer
from image_translation.training.plan import choose_pairs
from image_translation.training.processes import any_process, is_first, rank_and_world
from image_translation.training.results import finish
from image_translation.training.resume import Checkpoints, resume_or_start
from image_translation.training.run import Run
from image_translation.training.run_folder import RunFolder
from image_translation.training.state import TrainingState
from image_translation.training.trained import TrainedReplicate

WEIGHED_PAIRS = 1000
"""Training pairs whose colours weigh the classes, evenly spread, or all if there are fewer."""


def train_replicate(
    run_folder: RunFolder, observers: Sequence[Observer]
) -> TrainedReplicate:
    """Train one replicate, from its settings to a folder with weights.

    Args:
        run_folder: Settings, pairs and files.
        observers: Notified of every epoch by the first process.

    Raises:
        InputError: A file could not be read or written.
        Stopped: A signal requested a stop.
    """
    with torch_threads.fixed(run_folder.settings.training.fixed_threads):
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
    trained = finish(run_folder, run.state, cost, failure)
    for observer in run.observers:
        observer.on_end(trained)
    if any_process(run.stop.number is not None):  # received after the last step
        raise Stopped(
            f"{run_folder.name} was finished when it was stopped; the remaining work "
            "continues when the same command is run again",
            run.stop.number or 0,
        )
    return trained


def _start(folder: RunFolder, observers: Sequence[Observer]) -> Run:
    """Build the networks, and resume or start."""
    training = folder.settings.training
    device = pick_device(training.device, training.precision)
    if device.kind == "cpu":
        keep_freed_memory()
    image_size = folder.train.image_size
    state = TrainingState.start(folder.settings, image_size, folder.seed, device.kind)
    state.precision = _agree(device.precision)
    checkpoints = Checkpoints(folder)
    if is_first():
        folder.reopen()
    resume_or_start(checkpoints, state)
    device = replace(device, precision=state.precision)
    run = Run(folder, device, state, checkpoints, observers)
    _weigh_classes(run)
    rank, _ = rank_and_world()
    if rank:  # dropout differs between processes
        torch.manual_seed(torch.initial_seed() + rank)
    return run


def _agree(precision: Precision) -> Precision:
    """The precision of all processes: float32 unless all have chosen the same."""
    return "fp32" if any_process(precision == "fp32") else precision


def _weigh_classes(run: Run) -> None:
    """Weigh colour classes by the training targets."""
    if run.state.classes is not None:
        targets = run.folder.train.targets
        chosen = choose_pairs(len(targets), WEIGHED_PAIRS)
        rebalancing = run.settings.objective.rebalancing
        run.state.classes.weigh((targets[n] for n in chosen.tolist()), rebalancing)


def _fit_baseline(run: Run) -> None:
    """Validate a network that is not trained."""
    if isinstance(run.state.generator, MeanTarget):
        run.state.generator.set_mean(run.folder.train.targets)
    end_epoch(run, 0, {})
