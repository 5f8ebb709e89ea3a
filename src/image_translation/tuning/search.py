"""Tuning a model: one worker's part of a study."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from image_translation.common.files import write_text
from image_translation.errors import InputError
from image_translation.fingerprint import digest
from image_translation.metrics import MEASURES
from image_translation.pairing.arrays import PairArrays
from image_translation.training.observer import Observer
from image_translation.training.settings import LAST, ModelSettings
from image_translation.training.trained import WEIGHTS, TrainedReplicate
from image_translation.tuning.places import Places, TrialTakenError, open_study
from image_translation.tuning.results import STATES, TunedModel, summarize
from image_translation.tuning.settings import TuningSettings
from image_translation.tuning.space import (
    Space,
    change,
    count_trials,
    sampler_of,
    suggest,
)

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

DATABASE = "studies.db"
TRIAL = "trial.json"
LONGEST_WAIT = 5.0
"""Seconds between two looks at what other workers do."""


class TrialObserver(Observer, Protocol):
    """Is told of trials; a trial's folder holds ``trial.json``, which says what it is."""

    def close(self) -> None:
        """Take note that the trial under way ends before its time."""


@dataclass(frozen=True)
class Search:
    """What trials of a model have in common.

    Attributes:
        model: The model's name.
        settings: What a trial starts from: the model's, with the trials' budget.
        how: How is searched.
        space: What is searched.
        train: Pairs to learn from.
        validation: Pairs that score a trial.
        observers: Told of every epoch of every trial.
    """

    model: str
    settings: ModelSettings
    how: TuningSettings
    space: Space
    train: PairArrays
    validation: PairArrays
    observers: Sequence[TrialObserver] = ()

    @property
    def metric(self) -> str:
        """What trials are scored by."""
        return self.settings.training.select_by

    @property
    def direction(self) -> str:
        """Where better scores are, in Optuna's words."""
        return "maximize" if MEASURES[self.metric].higher_is_better else "minimize"


def tune(
    task: str,
    model: str,
    settings: ModelSettings,
    how: TuningSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[TrialObserver] = (),
) -> TunedModel:
    """Try parameters of a model until its study has all its trials.

    Several processes that call it alike share the work; each comes back when all trials
    are finished. Cut off at any moment, the next call goes on where it was.

    Args:
        task: Name of the task.
        model: Name of the model.
        settings: Its settings, which the first trial has.
        how: Space, budget, sampler, pruner and storage.
        train: Pairs to learn from.
        validation: Pairs that score a trial; nothing else does.
        folder: Where studies keep their trials' folders, and by default the database.
        observers: Told of every epoch of every trial.

    Raises:
        InputError: There is nothing to learn from or to score with, no metric chooses
            the epoch, the storage cannot be used, or the study does not fit.
        TrainingStoppedError: A signal asked to stop.
    """
    if settings.training.select_by == LAST:
        raise InputError(
            f"training.select_by: {LAST} is no metric, and trials are compared by the "
            "one that chooses the epoch; pass mse, psnr, ssim or swd for tuning, and "
            f"{LAST} for the training afterwards"
        )
    for side, pairs in (("train", train), ("validation", validation)):
        if len(pairs) == 0:
            raise InputError(f"tuning: the {side} side of the split holds no pairs")
    settings = _budget(settings, how)
    space = how.dimensions(settings)
    if not space:
        logger.info("Nothing of tuning.space is for %s; it is tried as it is", model)
    search = Search(model, settings, how, space, train, validation, observers)
    places = _open(task, search, folder)
    done = places.count - len(places.open())
    logger.info(
        "Study %s has %d of %d trials", places.study.study_name, done, places.count
    )
    while places.open():
        with places.take() as trial_id:
            if trial_id is not None:
                _Trial(search, places, trial_id).run()
        if trial_id is None and places.open():
            time.sleep(min(how.heartbeat, LONGEST_WAIT))
    return summarize(search.model, search.metric, settings, space, places)


def _budget(settings: ModelSettings, how: TuningSettings) -> ModelSettings:
    """A model's settings with the budget of a trial, which one process trains."""
    wanted = {
        "epochs": how.epochs or settings.training.epochs,
        "pairs": how.pairs or settings.training.pairs,
        "devices": 1,
        "nodes": 1,
        "rendezvous": None,
        "replicates": 1,
        "force": False,
    }
    values = {f"training.{name}": value for name, value in wanted.items()}
    return change(settings, {"enabled": True, **values})


def _open(task: str, search: Search, folder: Path) -> Places:
    from image_translation.training.run_folder import RunFolder

    how = search.how
    facts = digest(
        RunFolder(folder, search.settings, search.train, search.validation).fingerprint,
        {name: d.model_dump(mode="json") for name, d in search.space.items()},
        how.sampler,
        how.seed,
    )
    name = (
        f"{how.study}-{search.model}"
        if how.study
        else (f"{task}-{search.model}-{facts[:10]}")
    )
    folder.mkdir(parents=True, exist_ok=True)
    url = how.storage or f"sqlite:///{folder.absolute() / DATABASE}"
    study, storage = open_study(name, facts, search.direction, url, how.heartbeat)
    return Places(study, storage, folder / name, count_trials(how, search.space))


class _Trial:
    """One trial, which is this worker's."""

    def __init__(self, search: Search, places: Places, trial_id: int) -> None:
        import optuna

        study = places.study
        self.search, self.places, self.trial_id = search, places, trial_id
        self.number = places.storage.get_trial(trial_id).number
        how = search.how
        study.sampler = sampler_of(how, search.space, self.number, search.settings)
        study.pruner = _pruner(how)
        self.trial = optuna.Trial(study, trial_id)
        self.folder = places.trial_folder(self.number)

    def run(self) -> None:
        """Try the parameters, and tell the study what came of it."""
        import optuna

        try:
            state, reason, trained = self._train()
        except TrialTakenError:
            self._close_observers()
            logger.warning("Trial %d goes on in another worker", self.number)
            return
        except BaseException:
            self._close_observers()
            self.places.release(self.trial_id)
            raise
        self.trial.set_user_attr("reason", reason)
        value = None
        if trained is not None:
            value = self._describe(trained)
        is_complete = state == optuna.trial.TrialState.COMPLETE
        self.places.study.tell(self.trial, value if is_complete else None, state=state)
        self._log(STATES[state.name], reason, value)
        remove_weights(self.places)

    def _train(self) -> "tuple[optuna.trial.TrialState, str, TrainedReplicate | None]":
        import torch
        from optuna import TrialPruned
        from optuna.trial import TrialState

        from image_translation.training.fitting import fit

        search = self.search
        values = suggest(self.trial, search.space, search.settings)
        try:
            settings = change(search.settings, values)
        except ValidationError as error:
            return TrialState.PRUNED, _told(error), None
        self._write(values)
        watch = _Watch(self)
        observers: list[Observer] = [*search.observers, watch]
        try:
            trained = fit(
                settings,
                search.train,
                search.validation,
                self.folder,
                name=f"{search.model} trial {self.number}",
                observers=observers,
            )
        except TrialPruned as pruned:
            self._close_observers()
            return TrialState.PRUNED, str(pruned), None
        except (InputError, MemoryError, torch.OutOfMemoryError) as error:
            self._close_observers()
            # what could not even begin was no failure: the values do not go together
            state = TrialState.FAIL if watch.has_started else TrialState.PRUNED
            return state, str(error).partition("\n")[0], None
        if trained.failure is not None:
            return TrialState.FAIL, trained.failure, trained
        return TrialState.COMPLETE, "", trained

    def _write(self, values: Mapping[str, Any]) -> None:
        """Say in the folder what it is of."""
        content = {
            "study": self.places.study.study_name,
            "model": self.search.model,
            "trial": self.number,
            "parameters": dict(values),
        }
        write_text(self.folder / TRIAL, json.dumps(content, indent=1) + "\n")

    def _describe(self, trained: TrainedReplicate) -> float | None:
        """Keep what the training came to; returns the score of its best epoch."""
        facts = {"epochs": trained.cost["epochs"], "seconds": trained.cost["seconds"]}
        for name, value in {**facts, "best_epoch": trained.best_epoch}.items():
            self.trial.set_user_attr(name, value)
        return trained.validation_score

    def _log(self, state: str, reason: str, value: float | None) -> None:
        count = self.places.count
        logger.info(
            "%s trial %d %s%s%s; %d of %d are done",
            self.search.model,
            self.number,
            state,
            f" ({reason})" if reason else "",
            "" if value is None else f", validation {self.search.metric} {value:.5g}",
            count - len(self.places.open()),
            count,
        )

    def _close_observers(self) -> None:
        for observer in self.search.observers:
            observer.close()


class _Watch:
    """Tells the study of every epoch, and ends a trial that promises nothing."""

    def __init__(self, trial: _Trial) -> None:
        self._of = trial
        self.has_started = False

    def on_start(
        self,
        replicate: int,
        folder: Path,
        settings: ModelSettings,
        cost: Mapping[str, Any],
    ) -> None:
        """Take note that the parameters can be trained with."""
        self.has_started = True

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Report the score.

        Raises:
            TrialTakenError: Another worker goes on with this trial.
            optuna.TrialPruned: The median of the other trials was better.
        """
        import optuna

        if not metrics:
            return
        trial, search = self._of.trial, self._of.search
        self._of.places.check_is_mine(self._of.trial_id)
        known = self._of.places.storage.get_trial(self._of.trial_id)
        if epoch not in known.intermediate_values:  # one that was cut off is told again
            trial.report(metrics[f"validation/{search.metric}"], epoch)
        trial.set_user_attr("epochs", epoch)
        if epoch < search.settings.training.epochs and trial.should_prune():
            raise optuna.TrialPruned(
                f"behind the median of the trials in epoch {epoch}"
            )

    def on_end(self, trained: TrainedReplicate) -> None:
        """The study is told when the trial is over."""


def _pruner(how: TuningSettings) -> "optuna.pruners.BasePruner":
    import optuna

    if how.pruner == "none":
        return optuna.pruners.NopPruner()
    # Optuna prunes from the step after so many on; ours count from 1
    return optuna.pruners.MedianPruner(how.startup, how.warm_up + 1)


def remove_weights(places: Places) -> None:
    """Keep the weights of the best trial alone."""
    from image_translation.training.checkpoint import CHECKPOINT, PREVIOUS

    best = places.best()
    for trial in places.trials():
        if trial.state.is_finished() and trial.number != (best and best.number):
            folder = places.trial_folder(trial.number)
            for file in (WEIGHTS, CHECKPOINT, PREVIOUS):
                (folder / file).unlink(missing_ok=True)


def _told(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc'])}: "
        f"{detail['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for detail in error.errors()
    )
