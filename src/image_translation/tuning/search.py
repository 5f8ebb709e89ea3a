"""Tune a model: one worker's part of a study."""

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

from image_translation.common.errors import InputError, first_line
from image_translation.common.files import write_text
from image_translation.common.fingerprint import digest
from image_translation.common.names import TRAIN, VALIDATION
from image_translation.metrics import MEASURES
from image_translation.pairing.arrays import PairArrays
from image_translation.training.observer import Observer
from image_translation.training.output_choice import resolve_output
from image_translation.training.settings import LAST, ModelSettings
from image_translation.training.trained import WEIGHTS, TrainedReplicate
from image_translation.tuning.claims import TrialClaims, TrialTakenError, open_study
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
"""Maximum seconds between polls of the study."""


class TrialObserver(Observer, Protocol):
    """Observer of trials; a trial's folder contains ``trial.json``, which describes
    it.
    """

    def close(self) -> None:
        """Called when the current trial ends early."""


@dataclass(frozen=True)
class Search:
    """Common properties of a model's trials.

    Attributes:
        model: The model's name.
        settings: The model's settings, with the trials' budget.
        tuning: Tuning settings.
        space: Search space.
        train: Training pairs.
        validation: Pairs that score a trial.
        observers: Observers of every trial's training.
    """

    model: str
    settings: ModelSettings
    tuning: TuningSettings
    space: Space
    train: PairArrays
    validation: PairArrays
    observers: Sequence[TrialObserver] = ()

    @property
    def metric(self) -> str:
        return self.settings.training.select_by

    @property
    def direction(self) -> str:
        """Direction of better scores, for Optuna."""
        return "maximize" if MEASURES[self.metric].higher_is_better else "minimize"


def tune(
    task: str,
    model: str,
    settings: ModelSettings,
    tuning: TuningSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[TrialObserver] = (),
) -> TunedModel:
    """Run trials of a model until its study is complete.

    Several processes with the same arguments share the work; each returns when all
    trials are finished. After an interruption, the next call resumes.

    Args:
        task: Name of the task.
        model: Name of the model.
        settings: Its settings, used by the first trial.
        tuning: Space, budget, sampler, pruner and storage.
        train: Training pairs.
        validation: Pairs that score a trial; no other pairs do.
        folder: Folder of the studies and, by default, of the database.
        observers: Observers of every trial's training.

    Raises:
        InputError: There are no pairs for training or scoring, no metric selects the
            epoch, the storage is unusable, or the study does not match.
        Stopped: A signal requested a stop.
    """
    if settings.training.select_by == LAST:
        raise InputError(
            f"training.select_by: {LAST} is not a metric, and trials are compared by the "
            "metric that selects the epoch; pass mse, psnr, ssim or swd for tuning, and "
            f"{LAST} for the training afterwards"
        )
    for side, pairs in ((TRAIN, train), (VALIDATION, validation)):
        if len(pairs) == 0:
            raise InputError(f"tuning: the {side} side of the split holds no pairs")
    settings = resolve_output(_budget(settings, tuning), train)
    space = tuning.dimensions(settings)
    if not space:
        logger.info("tuning.space has no dimension for %s; running it unchanged", model)
    search = Search(model, settings, tuning, space, train, validation, observers)
    claims = _open(task, search, folder)
    done = claims.count - len(claims.open())
    logger.info(
        "Study %s: %d of %d trials", claims.study.study_name, done, claims.count
    )
    while claims.open():
        with claims.claim() as trial_id:
            if trial_id is not None:
                _Trial(search, claims, trial_id).run()
        if trial_id is None and claims.open():
            time.sleep(min(tuning.heartbeat, LONGEST_WAIT))
    return summarize(search.model, search.metric, settings, space, claims)


def _budget(settings: ModelSettings, tuning: TuningSettings) -> ModelSettings:
    """A model's settings with the budget of a trial, in one process."""
    wanted = {
        "epochs": tuning.epochs or settings.training.epochs,
        "pairs": tuning.pairs or settings.training.pairs,
        "devices": 1,
        "nodes": 1,
        "rendezvous": None,
        "replicates": 1,
        "force": False,
    }
    values = {f"training.{name}": value for name, value in wanted.items()}
    return change(settings, {"enabled": True, **values})


def _open(task: str, search: Search, folder: Path) -> TrialClaims:
    from image_translation.training.run_folder import RunFolder

    tuning = search.tuning
    facts = digest(
        RunFolder(folder, search.settings, search.train, search.validation).fingerprint,
        {name: d.model_dump(mode="json") for name, d in search.space.items()},
        tuning.sampler,
        tuning.seed,
    )
    name = (
        f"{tuning.study}-{search.model}"
        if tuning.study
        else (f"{task}-{search.model}-{facts[:10]}")
    )
    folder.mkdir(parents=True, exist_ok=True)
    url = tuning.storage or f"sqlite:///{folder.absolute() / DATABASE}"
    study, storage = open_study(name, facts, search.direction, url, tuning.heartbeat)
    return TrialClaims(
        study, storage, folder / name, count_trials(tuning, search.space)
    )


class _Trial:
    """One trial, claimed by this worker."""

    def __init__(self, search: Search, claims: TrialClaims, trial_id: int) -> None:
        import optuna

        study = claims.study
        self.search, self.claims, self.trial_id = search, claims, trial_id
        self.number = claims.storage.get_trial(trial_id).number
        tuning = search.tuning
        study.sampler = sampler_of(tuning, search.space, self.number, search.settings)
        study.pruner = _pruner(tuning)
        self.trial = optuna.Trial(study, trial_id)
        self.folder = claims.trial_folder(self.number)

    def run(self) -> None:
        """Train with the parameters, and report the result to the study."""
        import optuna

        try:
            state, reason, trained = self._train()
        except TrialTakenError:
            self._close_observers()
            logger.warning("Trial %d was taken over by another worker", self.number)
            return
        except BaseException:
            self._close_observers()
            self.claims.release(self.trial_id)
            raise
        self.trial.set_user_attr("reason", reason)
        value = None
        if trained is not None:
            value = self._describe(trained)
        is_complete = state == optuna.trial.TrialState.COMPLETE
        self.claims.study.tell(self.trial, value if is_complete else None, state=state)
        self._log(STATES[state.name], reason, value)
        remove_weights(self.claims)

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
            return TrialState.PRUNED, _first_reason(error), None
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
            # not a failure if the training could not begin: the values are incompatible
            state = TrialState.FAIL if watch.has_started else TrialState.PRUNED
            return state, first_line(error), None
        if trained.failure is not None:
            return TrialState.FAIL, trained.failure, trained
        return TrialState.COMPLETE, "", trained

    def _write(self, values: Mapping[str, Any]) -> None:
        """Write the description of the trial to its folder."""
        content = {
            "study": self.claims.study.study_name,
            "model": self.search.model,
            "trial": self.number,
            "parameters": dict(values),
        }
        write_text(self.folder / TRIAL, json.dumps(content, indent=1) + "\n")

    def _describe(self, trained: TrainedReplicate) -> float | None:
        """Record the result of the training; returns the score of its best epoch."""
        facts = {"epochs": trained.cost["epochs"], "seconds": trained.cost["seconds"]}
        for name, value in {**facts, "best_epoch": trained.best_epoch}.items():
            self.trial.set_user_attr(name, value)
        return trained.validation_score

    def _log(self, state: str, reason: str, value: float | None) -> None:
        count = self.claims.count
        logger.info(
            "%s trial %d %s%s%s; %d of %d done",
            self.search.model,
            self.number,
            state,
            f" ({reason})" if reason else "",
            "" if value is None else f", validation {self.search.metric} {value:.5g}",
            count - len(self.claims.open()),
            count,
        )

    def _close_observers(self) -> None:
        for observer in self.search.observers:
            observer.close()


class _Watch:
    """Reports every epoch to the study, and stops a trial that the pruner rejects."""

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
        """Record that the parameters are trainable."""
        self.has_started = True

    def on_epoch(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        samples: NDArray[np.uint8] | None,
    ) -> None:
        """Report the score.

        Raises:
            TrialTakenError: Another worker took over this trial.
            optuna.TrialPruned: The median of the other trials was better.
        """
        import optuna

        if not metrics:
            return
        trial, search = self._of.trial, self._of.search
        self._of.claims.check_claim(self._of.trial_id)
        known = self._of.claims.storage.get_trial(self._of.trial_id)
        if epoch not in known.intermediate_values:  # a resumed trial repeats epochs
            trial.report(metrics[f"validation/{search.metric}"], epoch)
        trial.set_user_attr("epochs", epoch)
        if epoch < search.settings.training.epochs and trial.should_prune():
            raise optuna.TrialPruned(
                f"worse than the median of the trials in epoch {epoch}"
            )

    def on_end(self, trained: TrainedReplicate) -> None:
        """The result is reported when the trial is finished."""


def _pruner(tuning: TuningSettings) -> "optuna.pruners.BasePruner":
    import optuna

    if tuning.pruner == "none":
        return optuna.pruners.NopPruner()
    # Optuna prunes after this many steps; steps start at 1 here
    return optuna.pruners.MedianPruner(tuning.startup, tuning.warm_up + 1)


def remove_weights(claims: TrialClaims) -> None:
    """Delete the weights of all trials except the best."""
    from image_translation.training.run_folder import CHECKPOINT, PREVIOUS

    best = claims.best()
    for trial in claims.trials():
        if trial.state.is_finished() and trial.number != (best and best.number):
            folder = claims.trial_folder(trial.number)
            for file in (WEIGHTS, CHECKPOINT, PREVIOUS):
                (folder / file).unlink(missing_ok=True)


def _first_reason(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc'])}: "
        f"{detail['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for detail in error.errors()
    )
