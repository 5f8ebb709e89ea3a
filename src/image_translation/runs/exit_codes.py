"""Exit codes of all commands, and the runs and errors that lead to them."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from image_translation.common.errors import (
    FatalFindingsError,
    InputError,
    causes,
)
from image_translation.common.files import LockedError
from image_translation.common.secrets import mask_address
from image_translation.training.interruption import Stopped

if TYPE_CHECKING:
    from image_translation.runs.record import RunRecord
    from image_translation.runs.task_state import TaskState


class ExitCode(IntEnum):
    """The exit codes; each has the same meaning for every command."""

    FINISHED = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    FATAL_FINDINGS = 4
    MODEL_FAILED = 5
    MLFLOW_LOST = 6
    PHOTOS_FAILED = 7
    CHAMPION_LOST = 8
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """The outcome of a run in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.FINISHED: "finished",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "failed: wrong usage of the command",
    ExitCode.BAD_INPUT: "failed: unusable input",
    ExitCode.FATAL_FINDINGS: "stopped: the audit has fatal findings",
    ExitCode.MODEL_FAILED: "finished, but a model failed",
    ExitCode.MLFLOW_LOST: "finished, but MLflow lacks a part of the results",
    ExitCode.PHOTOS_FAILED: "finished, but photographs were not translated",
    ExitCode.CHAMPION_LOST: "finished, but the champion cannot be used",
    ExitCode.LOCKED: "not run: another command works on the data",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "interrupted",
}


@dataclass(frozen=True)
class Failure:
    """The reason why a node, or a run, failed.

    Attributes:
        error: The message for the user.
        code: The exit code of the run.
    """

    error: str
    code: int


def exit_code(
    record: "RunRecord",
    after: "TaskState",
    missing: Collection[str] = (),
    is_mlflow_lost: bool = False,
    is_champion_lost: bool = False,
) -> ExitCode:
    """The exit code of a run.

    Args:
        record: The state of the run.
        after: The state on disk now.
        missing: Nodes that were to run and did not start.
        is_mlflow_lost: Whether MLflow lacks a part of the results.
        is_champion_lost: Whether the files of the champion are missing or damaged.
    """
    if record.failures:
        return ExitCode(next(iter(record.failures.values())).code)
    if missing or record.unfinished:
        return ExitCode.FAILED
    if any(model.status == "failed" for model in after.models.values()):
        return ExitCode.MODEL_FAILED
    if is_mlflow_lost:
        return ExitCode.MLFLOW_LOST
    return ExitCode.CHAMPION_LOST if is_champion_lost else ExitCode.FINISHED


def known_failure(error: BaseException) -> Failure | None:
    """The failure with a code of its own among an error and its causes."""
    for cause in causes(error):
        code = _code_of(cause)
        if code is not None:
            return Failure(mask_address(str(cause) or repr(cause)), code)
    return None


def describe_failure(error: BaseException) -> Failure:
    """Message and exit code of any error; errors without a known cause have code 1."""
    known = known_failure(error)
    if known is not None:
        return known
    text = mask_address(str(error))
    message = f"{type(error).__name__}: {text}" if text else repr(error)
    return Failure(message, ExitCode.FAILED)


def _code_of(error: BaseException) -> ExitCode | None:
    match error:
        case FatalFindingsError():
            return ExitCode.FATAL_FINDINGS
        case InputError():
            return ExitCode.BAD_INPUT
        case LockedError():
            return ExitCode.LOCKED
        case Stopped():
            return ExitCode(error.exit_code)
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
    return None
