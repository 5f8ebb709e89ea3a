"""Progress of a training: a bar on a terminal, lines in a log."""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tqdm import tqdm

from image_translation.common.progress import SECONDS_BETWEEN_LINES

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_FIGURES = 0.5
"""Interval at which the figures of a bar are updated."""


@dataclass
class TrainingPlan:
    """The trainings of a run, to estimate the time that is left.

    Attributes:
        left: Trainings of the run that have not ended, including the current one.
        seconds: Durations of the trainings of this process so far.
    """

    left: int = 0
    seconds: list[float] = field(default_factory=list)

    def estimate(self, passed: float, left: float) -> float:
        """Seconds until all trainings end, if later ones take as long as the others.

        Args:
            passed: Seconds that the current training has taken.
            left: Seconds that it has left.
        """
        known = [*self.seconds, passed + left]
        return left + max(self.left - 1, 0) * sum(known) / len(known)


plan = TrainingPlan()
"""The trainings of the current run; its hooks set how many are left."""


class TrainingProgress:
    """Context that shows images, speed, time left and losses of a training.

    The last state is always logged, even for a short training.

    Args:
        description: Name of the training, such as ``"pix2pix replicate 0"``.
        total: Images in all epochs.
        done: Images that were trained on before a resume.
        bar: Whether to show a bar on a terminal; true in one of several processes.

    Attributes:
        figures: Other figures to show, such as losses.
    """

    def __init__(
        self, description: str, total: int, done: int = 0, *, bar: bool = True
    ) -> None:
        self.description = description
        self.total = total
        self.done = done
        self._before = done
        self._has_bar = bar
        self._bar: tqdm | None = None
        self._started = self._shown = time.monotonic()
        self.figures: Mapping[str, float] = {}

    def __enter__(self) -> "TrainingProgress":
        self._started = self._shown = time.monotonic()
        if self._has_bar and sys.stderr.isatty():
            self._bar = tqdm(
                desc=self.description,
                total=self.total,
                initial=self.done,
                unit=" images",
                dynamic_ncols=True,
                leave=False,
            )
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if error is None:
            plan.seconds.append(time.monotonic() - self._started)
            plan.left -= 1
            self._log()

    def advance(self, count: int = 1) -> None:
        self.done += count
        if self._bar is not None:
            self._bar.update(count)

    def is_due(self) -> bool:
        """True if it is time to show figures, which may be expensive to compute."""
        interval = (
            SECONDS_BETWEEN_LINES if self._bar is None else SECONDS_BETWEEN_FIGURES
        )
        return time.monotonic() - self._shown >= interval

    def show(self, figures: Mapping[str, float]) -> None:
        """Show the progress, with figures such as losses."""
        self._shown = time.monotonic()
        self.figures = figures
        if self._bar is None:
            self._log()
        else:
            losses = {name: f"{value:.3g}" for name, value in self.figures.items()}
            run = {"run": f"{_format(self._left()[1])} left"} if plan.left > 1 else {}
            self._bar.set_postfix(run | losses)

    def _log(self) -> None:
        left = ""
        if self.done < self.total:
            training, run = map(_format, self._left())
            left = f", {training} left" + (f" (run: {run})" if plan.left > 1 else "")
        logger.info(
            "%s: %d of %d images, %.1f per second%s%s",
            self.description,
            self.done,
            self.total,
            self._rate(),
            left,
            "".join(f", {name} {value:.3g}" for name, value in self.figures.items()),
        )

    def _rate(self) -> float:
        seconds = max(time.monotonic() - self._started, 1e-9)
        return (self.done - self._before) / seconds

    def _left(self) -> tuple[float, float]:
        """Seconds left for this training, and for all trainings of the run."""
        left = (self.total - self.done) / max(self._rate(), 1e-9)
        return left, plan.estimate(time.monotonic() - self._started, left)


def _format(seconds: float) -> str:
    return tqdm.format_interval(seconds)
