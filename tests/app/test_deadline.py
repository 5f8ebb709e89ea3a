import io

import pytest

from image_translation.app.deadline import Deadline, TimedReader, TooLongError


def test_deadline_passes_after_its_seconds():
    now = [100.0]
    deadline = Deadline(2, lambda: now[0])
    for late in (0.0, 1.9, 2.0):
        now[0] = 100 + late
        deadline.check()
    now[0] = 102.1
    with pytest.raises(TooLongError):
        deadline.check()


def test_file_is_read_until_the_deadline():
    now = [0.0]
    file = TimedReader(io.BytesIO(b"abc"), Deadline(5, lambda: now[0]))
    assert file.read(2) == b"ab" and file.tell() == 2
    now[0] = 6
    with pytest.raises(TooLongError):
        file.read(1)
