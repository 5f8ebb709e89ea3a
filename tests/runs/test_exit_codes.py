import re

import pytest

from image_translation.common.errors import FatalFindingsError, InputError
from image_translation.common.files import LockedError
from image_translation.runs.exit_codes import ExitCode, Failure, describe_failure
from image_translation.training.interruption import Stopped
from tests.conftest import PROJECT


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (InputError("x"), 3),
        (FatalFindingsError("x"), 4),
        (LockedError("x"), 75),
        (Stopped("x", 15), 143),
    ],
)
def test_cause_of_an_error_decides_its_code(cause, code):
    try:
        raise RuntimeError("wrapped") from cause
    except RuntimeError as error:
        assert describe_failure(error) == Failure("x", code)


def test_message_has_no_credentials():
    failure = describe_failure(ConnectionError("http://user:secret@host/api is gone"))
    assert failure.error == "ConnectionError: http://host/api is gone"


def test_error_without_message_is_named():
    interrupted = Failure("KeyboardInterrupt()", 130)
    assert describe_failure(KeyboardInterrupt()) == interrupted
    assert describe_failure(MemoryError()) == Failure("MemoryError()", 1)


def test_documentation_lists_every_code():
    page = (PROJECT / "docs/reference/commands.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| ", page, re.MULTILINE)
    listed = [int(code) for row in rows for code in row.split(", ")]
    assert listed == [code.value for code in ExitCode]
