"""The places of a study: which process tries which trial.

A study is given as many places as it is to have trials, and a worker takes only those
whose number counts: so any number of workers make exactly that many. A place is taken by a
change of state in the database, which only one of several can make.

Who has died is seen in two ways. On the machine where a trial was begun, by the lock in its
folder, which dies with the process; elsewhere, by the heartbeat in the database. A place of
the dead keeps its number, its parameters and its folder.
"""

import logging
import socket
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from image_translation.common.files import LockedError, lock
from image_translation.errors import InputError

if TYPE_CHECKING:
    import optuna
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

LOCK = "worker.lock"
PLACE, WORKER = "place", "worker"
DIGEST = "digest"

BEATS_OF_GRACE = 4
"""Heartbeats that may fail to come before a worker is taken for dead."""

ATTEMPTS = 5
SQLITE_SECONDS = 60
"""How long a worker waits for another's write to an SQLite file."""


class TrialTakenError(Exception):
    """Another worker has taken this one for dead and goes on with its trial."""


@dataclass
class Places:
    """The trials of a study, seen by one worker.

    Args:
        study: The study.
        storage: Where it is kept.
        folder: The study's folder; trial k has ``trial-<k>``.
        count: How many trials there are to be.
    """

    study: "optuna.Study"
    storage: "RDBStorage"
    folder: Path
    count: int
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        import optuna

        for _ in range(self.count - len(self.study.get_trials(deepcopy=False))):
            waiting = optuna.trial.TrialState.WAITING
            self.study.add_trial(optuna.trial.create_trial(state=waiting))

    def trials(self) -> "list[FrozenTrial]":
        """The trials that count, by number."""
        return self.study.get_trials(deepcopy=False)[: self.count]

    def open(self) -> "list[FrozenTrial]":
        """The trials that are not finished."""
        return [trial for trial in self.trials() if not trial.state.is_finished()]

    def best(self) -> "FrozenTrial | None":
        """The trial with the best score; the earlier one wins a draw."""
        from optuna.study import StudyDirection
        from optuna.trial import TrialState

        done = [t for t in self.trials() if t.state == TrialState.COMPLETE]
        choose = max if self.study.direction == StudyDirection.MAXIMIZE else min
        return choose(done, key=lambda trial: trial.value or 0.0, default=None)

    def trial_folder(self, number: int) -> Path:
        """Where a trial keeps its files."""
        return self.folder / f"trial-{number}"

    @contextmanager
    def take(self) -> Iterator[int | None]:
        """Take the first place that is free, or whose worker is dead, as a context.

        Yields:
            The id of a trial that is this worker's alone; None where others are at work
            on all that is left.
        """
        with ExitStack() as held:
            for trial in self.open():
                if self._take(trial, held):
                    with self._heartbeat(trial._trial_id):
                        yield trial._trial_id
                    return
                held.close()
            yield None

    def release(self, trial_id: int) -> None:
        """Leave a trial for whoever comes next, with what it has."""
        from optuna.trial import TrialState

        self.storage.set_trial_state_values(trial_id, TrialState.WAITING)

    def check_is_mine(self, trial_id: int) -> None:
        """Make sure that nobody has taken the trial over.

        Raises:
            TrialTakenError: Somebody has.
        """
        if self.storage.get_trial(trial_id).user_attrs.get(WORKER) != self.worker:
            raise TrialTakenError

    def _take(self, trial: "FrozenTrial", held: ExitStack) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        trial_id = trial._trial_id
        try:
            held.enter_context(lock(self.trial_folder(trial.number) / LOCK))
        except LockedError:
            return False
        try:
            if self.storage.get_trial(trial_id).state == TrialState.RUNNING:
                if not self._is_dead(trial_id):
                    return False
                logger.info("Trial %d was left by its worker; it goes on", trial.number)
                self.release(trial_id)
            # before it is taken: who dies in between has a heartbeat that ends
            self.storage.record_heartbeat(trial_id)
            if not self.storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                return False
        except UpdateFinishedTrialError:
            return False
        self.storage.set_trial_user_attr(trial_id, PLACE, self._place)
        self.storage.set_trial_user_attr(trial_id, WORKER, self.worker)
        return True

    def _is_dead(self, trial_id: int) -> bool:
        """Whether the worker of a running trial, whose lock is free here, is no more."""
        if self.storage.get_trial(trial_id).user_attrs.get(PLACE) == self._place:
            return True
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return trial_id in self.storage._get_stale_trial_ids(study_id)

    @property
    def _place(self) -> str:
        """Who sees the same locks."""
        return f"{socket.gethostname()}-{uuid.getnode():x}:{self.folder.resolve()}"

    @contextmanager
    def _heartbeat(self, trial_id: int) -> Iterator[None]:
        stop = Event()
        interval = self.storage.heartbeat_interval

        def beat() -> None:
            while not stop.wait(interval):
                try:
                    self.storage.record_heartbeat(trial_id)
                except Exception as error:  # the database may be back for the next one
                    logger.warning("The study missed a heartbeat: %s", error)

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def open_study(
    name: str, digest: str, direction: str, url: str, heartbeat: int
) -> "tuple[optuna.Study, RDBStorage]":
    """Open a study, or begin it.

    Args:
        name: Its name in the database.
        digest: Of what makes its trials comparable.
        direction: ``maximize`` or ``minimize``.
        url: The database.
        heartbeat: Seconds between two signs of life.

    Raises:
        InputError: The database cannot be used, or the study was begun with another
            space, other data or another training.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    _be_quiet()
    arguments: dict[str, Any] = {}
    if url.startswith("sqlite"):
        arguments["engine_kwargs"] = {"connect_args": {"timeout": SQLITE_SECONDS}}
    for attempt in range(ATTEMPTS):
        try:
            storage = optuna.storages.RDBStorage(
                url,
                heartbeat_interval=heartbeat,
                grace_period=BEATS_OF_GRACE * heartbeat,
                **arguments,
            )
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction=direction,  # type: ignore[arg-type]
                load_if_exists=True,
            )
            break
        except (ImportError, ArgumentError) as error:
            raise InputError(f"tuning.storage cannot be used: {error}") from error
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # two workers that make the tables at the same moment get in each other's way
            if attempt == ATTEMPTS - 1:
                raise InputError(
                    f"tuning.storage cannot be used: {_first_line(error)}"
                ) from error
            time.sleep(0.2 * 2**attempt)
    if study.user_attrs.get(DIGEST, digest) != digest:
        raise InputError(
            f"tuning.study: {name} was begun with another space, other data, settings or "
            "code; choose another name, or none, which gives every change a study of its "
            "own"
        )
    study.set_user_attr(DIGEST, digest)
    return study, storage


def _first_line(error: Exception) -> str:
    return str(error.__cause__ or error).splitlines()[0]


def _be_quiet() -> None:
    """Have Optuna say through this project's log only what is wrong."""
    import optuna

    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
