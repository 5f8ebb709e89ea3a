"""Claim trials of a study across workers.

Only trials whose number is below the study's number of trials count, so any number of
workers run exactly that many. A trial is claimed by a change of state in the database,
which succeeds for only one worker.

Dead workers are detected in two ways: on the same machine by the lock in the trial's
folder, which is released when the process ends; on other machines by the heartbeat in
the database. A trial of a dead worker keeps its number, its parameters and its folder.

Optuna sends heartbeats only from ``Study.optimize``, and its
`RetryHeartbeatStaleTrialCallback` queues a stale trial under a new number, away from its
checkpoint. So this module sends heartbeats and resumes trials itself.
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

from image_translation.common.errors import InputError, first_line
from image_translation.common.files import LockedError, lock
from image_translation.common.foreign_internals import stale_trials

if TYPE_CHECKING:
    import optuna
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

LOCK = "worker.lock"
PLACE, WORKER = "place", "worker"
DIGEST = "digest"

BEATS_OF_GRACE = 4
"""Number of missed heartbeats after which a worker counts as dead."""

ATTEMPTS = 5
SQLITE_SECONDS = 60
"""Seconds to wait for another worker's write to an SQLite file."""


class TrialTakenError(Exception):
    """Another worker considered this one dead and took over its trial."""


@dataclass
class TrialClaims:
    """The trials of a study, from the view of one worker.

    Args:
        study: The study.
        storage: Its storage.
        folder: The study's folder; trial k has ``trial-<k>``.
        count: Total number of trials.
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
        """The counted trials, by number."""
        return self.study.get_trials(deepcopy=False)[: self.count]

    def open(self) -> "list[FrozenTrial]":
        """The unfinished trials."""
        return [trial for trial in self.trials() if not trial.state.is_finished()]

    def best(self) -> "FrozenTrial | None":
        """The trial with the best score; the earlier one in a tie."""
        from optuna.study import StudyDirection
        from optuna.trial import TrialState

        done = [t for t in self.trials() if t.state == TrialState.COMPLETE]
        choose = max if self.study.direction == StudyDirection.MAXIMIZE else min
        return choose(done, key=lambda trial: trial.value or 0.0, default=None)

    def trial_folder(self, number: int) -> Path:
        return self.folder / f"trial-{number}"

    @contextmanager
    def claim(self) -> Iterator[int | None]:
        """Claim the first trial that is free or whose worker is dead, as a context.

        Yields:
            The id of a trial that only this worker runs; None if other workers run all
            remaining trials.
        """
        with ExitStack() as held:
            for trial in self.open():
                if self._try_to_claim(trial, held):
                    trial_id = self._id_of(trial)
                    with self._heartbeat(trial_id):
                        yield trial_id
                    return
                held.close()
            yield None

    def release(self, trial_id: int) -> None:
        """Release a trial, with its state, for the next worker."""
        from optuna.trial import TrialState

        self.storage.set_trial_state_values(trial_id, TrialState.WAITING)

    def check_claim(self, trial_id: int) -> None:
        """Check that no other worker has taken over the trial.

        Raises:
            TrialTakenError: Another worker has.
        """
        if self.storage.get_trial(trial_id).user_attrs.get(WORKER) != self.worker:
            raise TrialTakenError

    def _try_to_claim(self, trial: "FrozenTrial", held: ExitStack) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        trial_id = self._id_of(trial)
        try:
            held.enter_context(lock(self.trial_folder(trial.number) / LOCK))
        except LockedError:
            return False
        try:
            if self.storage.get_trial(trial_id).state == TrialState.RUNNING:
                if not self._is_dead(trial_id):
                    return False
                logger.info("Resuming trial %d of a dead worker", trial.number)
                self.release(trial_id)
            # before the claim: if this worker dies in between, its heartbeat ends
            self.storage.record_heartbeat(trial_id)
            if not self.storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                return False
        except UpdateFinishedTrialError:
            return False
        self.storage.set_trial_user_attr(trial_id, PLACE, self._lock_domain)
        self.storage.set_trial_user_attr(trial_id, WORKER, self.worker)
        return True

    def _id_of(self, trial: "FrozenTrial") -> int:
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(
            study_id, trial.number
        )

    def _is_dead(self, trial_id: int) -> bool:
        """True if the worker of a running trial with a free lock is dead."""
        if self.storage.get_trial(trial_id).user_attrs.get(PLACE) == self._lock_domain:
            return True
        return trial_id in stale_trials(self.storage, self.study.study_name)

    @property
    def _lock_domain(self) -> str:
        """Identifies the processes that see the same locks."""
        return f"{socket.gethostname()}-{uuid.getnode():x}:{self.folder.resolve()}"

    @contextmanager
    def _heartbeat(self, trial_id: int) -> Iterator[None]:
        stop = Event()
        interval = self.storage.heartbeat_interval

        def beat() -> None:
            while not stop.wait(interval):
                try:
                    self.storage.record_heartbeat(trial_id)
                except (
                    Exception
                ) as error:  # the database may be available for the next heartbeat
                    logger.warning("Missed a heartbeat of the study: %s", error)

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
    """Open or create a study.

    Args:
        name: Its name in the database.
        digest: Digest of everything that makes its trials comparable.
        direction: ``maximize`` or ``minimize``.
        url: The database.
        heartbeat: Seconds between heartbeats.

    Raises:
        InputError: The database is unusable, or the study was created with another
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
            # two workers that create the tables at the same time may conflict
            if attempt == ATTEMPTS - 1:
                raise InputError(
                    f"tuning.storage cannot be used: {first_line(error.__cause__ or error)}"
                ) from error
            time.sleep(0.2 * 2**attempt)
    if study.user_attrs.get(DIGEST, digest) != digest:
        raise InputError(
            f"tuning.study: {name} was created with another space, other data, settings or "
            "code; choose another name, or none, which creates a new study for every "
            "change"
        )
    study.set_user_attr(DIGEST, digest)
    return study, storage


def _be_quiet() -> None:
    """Limit Optuna's messages to warnings in this project's log."""
    import optuna

    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
