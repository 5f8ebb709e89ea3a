"""Training one replicate of a model, from settings to a folder with weights."""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from image_translation.errors import InputError
from image_translation.fingerprint import Stamp, code_digest, digest, file_digest
from image_translation.memory import keep_freed_memory
from image_translation.metrics import (
    MEASURES,
    METRICS,
    for_means,
    sliced_wasserstein,
)
from image_translation.models import MeanTarget, count_gmac, count_parameters
from image_translation.models.registry import module_of
from image_translation.pairing.arrays import PairArrays
from image_translation.training.averaging import recompute_statistics
from image_translation.training.batches import Batches
from image_translation.training.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    write_whole,
)
from image_translation.training.devices import Device, pick_device
from image_translation.training.inference import prepare, translate_prepared
from image_translation.training.interruption import (
    StopRequest,
    TrainingStoppedError,
    how_to_go_on,
)
from image_translation.training.observer import Observer
from image_translation.training.plan import choose_pairs
from image_translation.training.processes import (
    agree,
    rank_and_world,
    share_buffers,
    sum_over_processes,
)
from image_translation.training.progress import TrainingProgress
from image_translation.training.schedule import learning_rate_factor
from image_translation.training.settings import (
    LAST,
    ModelSettings,
    TrainingSettings,
)
from image_translation.training.state import TrainingState
from image_translation.training.step import train_batch
from image_translation.training.trained import (
    COLUMNS,
    CONFIG,
    HISTORY,
    VALIDATED,
    WEIGHTS,
    TrainedReplicate,
)
from image_translation.training.warm_start import (
    START,
    digest_start,
    find_start,
    load_start,
    set_previous_aside,
)

logger = logging.getLogger(__name__)

CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"

LARGEST_LOSS = 1e6
"""A loss above is an explosion: images lie in [-1, 1], logits of use within a few tens."""

SAMPLES = 4
"""Validation pairs that observers are shown."""


class _DivergedError(Exception):
    """A loss or a weight is not a finite number, or a loss has exploded."""


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
    """Train a model once, or find it trained.

    Cut off at any moment, the next call goes on after the last checkpoint and ends with
    the same weights. Asked to stop by Ctrl-C or SIGTERM, it keeps a checkpoint first. A
    training whose loss explodes or stops being a number ends there, with the best
    weights before (`TrainedReplicate.failure`).

    Within torchrun, all processes call it alike; the first one keeps the files and tells
    the observers.

    Args:
        settings: Network, objective, training and the protocol of validation.
        train: Pairs to learn from, S×S pixels.
        validation: Pairs that choose the epoch.
        folder: Where ``weights.safetensors`` (of the best epoch), ``config.json``,
            ``history.csv`` and, until it ends, the checkpoints are kept.
        replicate: Number of the replicate; added to the seed.
        name: What the log calls the model; the network's name if not given.
        observers: Told of every epoch.

    Raises:
        InputError: There is nothing to train on or to validate with, or a parameter
            asks for what is not there.
        TrainingStoppedError: A signal asked to stop.
    """
    name = f"{name or settings.network.name} replicate {replicate}"
    _check(settings, train, validation)
    fingerprint = training_fingerprint(settings, train, validation, replicate)
    finished = find_finished(settings, train, validation, folder, replicate)
    if finished is not None and not settings.training.force:
        logger.info("%s is up to date", name)
        return finished

    device = pick_device(settings.training.device, settings.training.precision)
    if device.kind == "cpu":
        keep_freed_memory()
    seed = settings.training.seed + replicate
    state = TrainingState.start(settings, train.image_size, seed, device.kind)
    training = _Training(
        name, settings, train, validation, folder, replicate, fingerprint, device, state
    )
    if training.is_first:
        training.observers = observers
        folder.mkdir(parents=True, exist_ok=True)
        Stamp(folder).clear()
    return training.run()


@dataclass
class _Training:
    """A training under way: what it is made of, and what it does in turn."""

    name: str
    settings: ModelSettings
    train: PairArrays
    validation: PairArrays
    folder: Path
    replicate: int
    fingerprint: str
    device: Device
    state: TrainingState
    observers: Sequence[Observer] = ()
    saved_at: float = field(default_factory=time.monotonic)
    stop: StopRequest = field(default_factory=StopRequest)

    @cached_property
    def pairs(self) -> int:
        """How many pairs an epoch has."""
        return len(choose_pairs(len(self.train), self.settings.training.pairs))

    @property
    def is_first(self) -> bool:
        """Whether this is the process that keeps the files."""
        return rank_and_world()[0] == 0

    def run(self) -> TrainedReplicate:
        """Train from where an earlier run was cut off, or from the start."""
        if not self._resume():
            self._begin()
        rank, _ = rank_and_world()
        if rank:  # what is dropped out is each process's own affair
            torch.manual_seed(torch.initial_seed() + rank)
        cost = _known_cost(self.state, self.train.image_size, self.device)
        for observer in self.observers:
            observer.on_start(self.replicate, self.folder, self.settings, cost)
        failure = None
        if self.settings.is_trainable:
            failure = self._train()
        else:
            if isinstance(self.state.generator, MeanTarget):
                self.state.generator.set_mean(self.train.targets)
            self._end_epoch(0, {})
        trained = self._conclude(cost, failure)
        for observer in self.observers:
            observer.on_end(trained)
        if agree(self.stop.number is not None):  # since the last step
            raise TrainingStoppedError(
                f"{self.name} was finished when it was stopped; what comes after it runs "
                "when the same command runs again",
                self.stop.number or 0,
            )
        return trained

    def _train(self) -> str | None:
        """Train the epochs that are left; returns why it had to end early, if so."""
        state, training = self.state, self.settings.training
        if training.compile:
            state.compile()
        batches = Batches(
            self.train, training, self.replicate, self.device, *rank_and_world()
        )
        total = training.epochs * self.pairs
        seen = state.epoch * self.pairs + state.seen
        if seen == 0:
            self._show_start()
        with (
            self.stop,
            TrainingProgress(self.name, total, seen, bar=self.is_first) as progress,
        ):
            for epoch in range(state.epoch + 1, training.epochs + 1):
                try:
                    figures = self._train_epoch(epoch, batches, progress)
                except _DivergedError as error:
                    failure = f"training diverged in epoch {epoch}: {error}"
                    if self.is_first:
                        logger.error("%s: %s", self.name, failure)
                    return failure
                self._end_epoch(epoch, figures)
                progress.figures = {"epoch": epoch, **_shown(state.history[-1])}
        return None

    def _train_epoch(
        self, epoch: int, batches: Batches, progress: TrainingProgress
    ) -> dict[str, float]:
        """See what is left of an epoch; returns mean losses, seconds, images a second."""
        state, training = self.state, self.settings.training
        factor = learning_rate_factor(training.schedule, epoch, training.epochs)
        state.set_learning_rate(training.learning_rate * factor)
        state.generator.train()
        before, started = state.seconds, time.perf_counter()
        for inputs, targets, count in batches.epoch(epoch, start=state.batches):
            group = _group(state.batches, self.pairs, training)
            state.batches += 1
            is_last = state.batches % training.accumulate == 0
            is_last |= state.batches == len(batches)
            state.sums += train_batch(
                state,
                inputs,
                targets,
                self.settings,
                self.device,
                share=len(inputs) / group,
                is_last=is_last,
            )
            state.seen += count
            state.seconds = before + time.perf_counter() - started
            progress.advance(count)
            if progress.is_due():
                is_alone = rank_and_world()[1] == 1  # others have losses of their own
                losses = self._means() if is_alone else {}
                progress.show({"epoch": epoch, **losses})
            if is_last:
                self._pause()
        sum_over_processes([state.sums])
        losses = self._means()
        share_buffers(state.translator)
        _check_weights(state.generator)
        seconds = before + time.perf_counter() - started
        return {"seconds": seconds, "images_per_second": state.seen / seconds, **losses}

    def _means(self) -> dict[str, float]:
        """Mean losses of the epoch under way by name.

        Raises:
            _DivergedError: One is no number, or has exploded.
        """
        means = (self.state.sums / self.state.seen).tolist()
        named = dict(zip(self.settings.objective.logged_losses, means, strict=True))
        for name, value in named.items():
            if not abs(value) <= LARGEST_LOSS:  # nor is nan
                raise _DivergedError(
                    f"train/{name} is {value:g}; a lower training.learning_rate may help"
                )
        return {f"train/{name}": value for name, value in named.items()}

    def _pause(self) -> None:
        """Between two steps: keep a checkpoint when it is time, and leave when asked to.

        Raises:
            TrainingStoppedError: A signal asked to stop.
        """
        if agree(self.stop.number is not None):
            training = self.settings.training
            kept = self._save()
            goes_on = how_to_go_on(training.force) if kept else "nothing since is kept"
            raise TrainingStoppedError(
                f"{self.name} was stopped in epoch {self.state.epoch + 1} of "
                f"{training.epochs}; {goes_on}",
                self.stop.number or 0,
            )
        minutes = (time.monotonic() - self.saved_at) / 60
        if minutes >= self.settings.training.checkpoint_minutes:
            self._save()

    def _end_epoch(self, epoch: int, figures: dict[str, float]) -> None:
        """Validate, and keep all that an interruption must not cost.

        Raises:
            InputError: The disk does not take it.
        """
        state = self.state
        if not self.is_first:
            state.history.append({"epoch": epoch, **figures})
            state.begin_epoch()
            return
        scores, samples = self._validate()
        row = {"epoch": epoch, **figures, **scores}
        state.history.append(row)
        state.begin_epoch()
        try:
            if _is_best(row, state, self.settings.training.select_by):
                state.best_epoch = epoch
                _save_weights(state.translator, self.folder / WEIGHTS)
            _save_history(state.history, self.folder / HISTORY)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{self.name}: epoch {epoch} could not be kept in {self.folder} "
                f"({error}); the last good checkpoint stays, and the training goes on "
                "from it once there is room and the same command runs again"
            ) from error
        for observer in self.observers:
            observer.on_epoch(epoch, {**figures, **scores}, samples)
        if self.settings.is_trainable:
            self._save()

    def _show_start(self) -> None:
        """Show observers what the network does before it has learnt anything."""
        if not self.observers:
            return
        network = prepare(self.state.translator, self.settings.inference)
        samples = self._draw_samples(network)
        for observer in self.observers:
            observer.on_epoch(0, {}, samples)

    def _validate(self) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """The mean of each metric on the validation pairs, and the samples."""
        if self.state.average is not None:
            _, world = rank_and_world()
            batch_size = math.ceil(self.settings.training.batch_size / world)
            recompute_statistics(
                self.state.average, self.train.inputs, batch_size, self.device
            )
        network = prepare(self.state.translator, self.settings.inference)
        scores = _score(network, self.validation, self.settings, self._seed)
        return scores, self._draw_samples(network)

    def _draw_samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Validation pairs, evenly spread over the set, beside their translations.

        Returns:
            H×W×3; a row a pair, input | prediction | target.
        """
        pairs = self.validation
        last = len(pairs) - 1
        shown = np.unique(np.linspace(0, last, SAMPLES).round().astype(int))
        inputs = np.asarray(pairs.inputs[shown])  # (n, S, S, 3)
        predictions = np.concatenate(
            list(
                translate_prepared(network, inputs, self.settings.inference, self._seed)
            )
        )
        sides = (inputs, predictions, np.asarray(pairs.targets[shown]))
        return np.concatenate(np.concatenate(sides, axis=2))  # rows of (S, 3S, 3)

    @property
    def _seed(self) -> int:
        return self.settings.training.seed + self.replicate

    def _save(self) -> bool:
        """Keep a checkpoint; where that fails, the one before stays.

        Returns:
            Whether it was kept, as far as this process knows.
        """
        self.saved_at = time.monotonic()
        if not self.is_first:
            return True
        path, previous = self.folder / CHECKPOINT, self.folder / PREVIOUS
        content = {"fingerprint": self.fingerprint, **self.state.dump()}
        try:
            save_checkpoint(path, content, previous)
        except (OSError, RuntimeError) as error:
            logger.error(
                "%s: no checkpoint could be kept in %s (%s); the last good one stays",
                self.name,
                self.folder,
                error,
            )
            return False
        return True

    def _resume(self) -> bool:
        """Go on from a checkpoint, if there is one that is good."""
        for file in () if self.settings.training.force else (CHECKPOINT, PREVIOUS):
            dumped = load_checkpoint(self.folder / file, self.fingerprint)
            has_weights = (self.folder / WEIGHTS).is_file()
            if dumped and (has_weights or dumped["best_epoch"] is None):
                self.state.restore(dumped)
                if self.is_first:
                    _save_history(self.state.history, self.folder / HISTORY)
                logger.info(
                    "%s goes on after epoch %d and %d batches of the next",
                    self.name,
                    self.state.epoch,
                    self.state.batches,
                )
                return True
        return False

    def _begin(self) -> None:
        """Take the weights to start from, and clear what an earlier training left."""
        if self.is_first:
            set_previous_aside(self.settings, self.folder)
        agree(True)  # the others wait until the weights lie where they look for them
        start = find_start(self.settings, self.folder)
        if start is not None:
            for network in {self.state.generator, self.state.translator}:
                load_start(network, start)
        if self.is_first:
            for file in (CHECKPOINT, PREVIOUS, WEIGHTS, CONFIG, HISTORY):
                (self.folder / file).unlink(missing_ok=True)

    def _conclude(self, cost: dict[str, Any], failure: str | None) -> TrainedReplicate:
        """Declare the training finished, the stamp last."""
        weights = self.folder / WEIGHTS
        config = {
            **_describe(self.settings, self.train.image_size, self.replicate),
            "best_epoch": self.state.best_epoch,
            "failure": failure,
            "fingerprint": self.fingerprint,
            "weights_sha256": file_digest(weights) if weights.is_file() else None,
            "cost": {**cost, **_spent(self.state.history, self.pairs)},
        }
        if self.is_first:
            _save_history(self.state.history, self.folder / HISTORY)
            text = json.dumps(config, indent=2) + "\n"
            write_whole(
                self.folder / CONFIG, lambda aside: aside.write_text(text, "utf-8")
            )
            Stamp(self.folder).write(self.fingerprint)
            for file in (CHECKPOINT, PREVIOUS):
                (self.folder / file).unlink(missing_ok=True)
            if weights.is_file():  # or the next one still starts from those before
                (self.folder / START).unlink(missing_ok=True)
        return TrainedReplicate(self.folder, config)


def _group(batch: int, pairs: int, training: TrainingSettings) -> int:
    """How many pairs, in all processes, make the step that a batch belongs to."""
    size = training.accumulate * training.batch_size
    first = batch // training.accumulate * size
    return min(size, pairs - first)


def _check_weights(generator: nn.Module) -> None:
    """Find a last step that went wrong, which no loss has seen."""
    values = generator.state_dict().values()
    if agree(not all(torch.isfinite(value).all() for value in values)):
        raise _DivergedError(
            "weights are not finite; a lower training.learning_rate may help"
        )


def _shown(row: dict[str, float]) -> dict[str, float]:
    """The losses and scores of an epoch, for the log."""
    return {name: value for name, value in row.items() if "/" in name}


def _score(
    network: nn.Module, validation: PairArrays, settings: ModelSettings, seed: int
) -> dict[str, float]:
    """The mean of each metric on the validation pairs as 8-bit images."""
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in VALIDATED}

    def score_each() -> Iterator[NDArray[np.uint8]]:
        start = 0
        for predictions in translate_prepared(
            network, validation.inputs, settings.inference, seed
        ):
            stop = start + len(predictions)
            targets = np.asarray(validation.targets[start:stop])
            for name in VALIDATED:
                values[name].append(METRICS[name].function(predictions, targets))
            start = stop
            yield predictions

    realism = sliced_wasserstein(score_each(), validation.targets)
    scores = {
        f"validation/{name}": float(for_means(name, np.concatenate(parts)).mean())
        for name, parts in values.items()
    }
    return {**scores, "validation/swd": realism}


def _is_best(row: dict[str, float], state: TrainingState, select_by: str) -> bool:
    """Whether an epoch beats all before; the earlier one wins a draw.

    The last one always does where there is nothing to choose by.
    """
    if state.best_epoch is None or select_by == LAST:
        return True
    column = f"validation/{select_by}"
    gain = row[column] - state.row(state.best_epoch)[column]
    return gain > 0 if MEASURES[select_by].higher_is_better else gain < 0


def _check(settings: ModelSettings, train: PairArrays, validation: PairArrays) -> None:
    for side, pairs in (("train", train), ("validation", validation)):
        if len(pairs) == 0:
            raise InputError(
                f"the {side} side of the split holds no pairs; give it more with "
                "splitting.fractions or add images to the source"
            )
    for parameter, problem in settings.find_unsuitable(train.image_size):
        raise InputError(f"{parameter}: {problem}")


def training_fingerprint(
    settings: ModelSettings, train: PairArrays, validation: PairArrays, replicate: int
) -> str:
    """Digest of all that the weights depend on."""
    training = settings.training
    return digest(
        settings.relevant(),
        training.devices * training.nodes,  # each has batch statistics of its own
        digest_start(settings),
        replicate,
        train.fingerprint,
        validation.fingerprint,
        code_digest(__name__, module_of(settings.network.name)),
    )


def find_finished(
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    replicate: int,
) -> TrainedReplicate | None:
    """What an earlier call of `fit` made from the same things, if it is all there."""
    fingerprint = training_fingerprint(settings, train, validation, replicate)
    if not Stamp(folder).matches(fingerprint):
        return None
    try:
        trained = TrainedReplicate.read(folder)
    except InputError:
        return None
    # A training that failed in its first epoch is finished too, without weights.
    files = (HISTORY,) if trained.best_epoch is None else (HISTORY, WEIGHTS)
    return trained if all((folder / file).is_file() for file in files) else None


def _describe(
    settings: ModelSettings, image_size: int, replicate: int
) -> dict[str, Any]:
    """What it takes to build the network again, and what it was trained for."""
    return {
        "network": settings.network.model_dump(),
        "image_size": image_size,
        "objective": settings.objective.model_dump(),
        "seed": settings.training.seed + replicate,
        "replicate": replicate,
        "select_by": settings.training.select_by,
    }


def _known_cost(
    state: TrainingState, image_size: int, device: Device
) -> dict[str, Any]:
    """The part of the cost that is known before training."""
    discriminator = state.discriminator
    return {
        "parameters": count_parameters(state.generator),
        "discriminator_parameters": (
            count_parameters(discriminator) if discriminator else 0
        ),
        "gmac": count_gmac(state.generator, image_size),
        "device": device.kind,
        "precision": device.precision,
    }


def _spent(history: list[dict[str, float]], pairs: int) -> dict[str, Any]:
    """The part of the cost that training makes."""
    epochs = sum("seconds" in row for row in history)
    seconds = sum(row.get("seconds", 0.0) for row in history)
    return {
        "seconds": seconds,
        "images_per_second": epochs * pairs / seconds if seconds else 0.0,
        "epochs": epochs,
        "samples_seen": epochs * pairs,
    }


def _save_weights(generator: nn.Module, path: Path) -> None:
    weights = {
        name: value.detach().cpu().contiguous()
        for name, value in generator.state_dict().items()
    }
    write_whole(path, lambda aside: save_file(weights, aside))


def _save_history(history: list[dict[str, float]], path: Path) -> None:
    table = pd.DataFrame(history, columns=list(COLUMNS))
    write_whole(path, lambda aside: table.to_csv(aside, index=False))
