import logging

import pytest

from image_translation.common import progress as module
from image_translation.common.progress import progress


class Clock:
    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    caplog.set_level(logging.INFO, logger="image_translation.common.progress")
    return caplog


def test_items_are_handed_on(log):
    assert list(progress(range(5), "counting", 5, "numbers")) == [0, 1, 2, 3, 4]


def test_short_work_logs_nothing(log, monkeypatch):
    monkeypatch.setattr(module, "time", Clock(step=0.01))
    list(progress(range(100), "counting", 100, "numbers"))
    assert not log.messages


def test_long_work_logs_a_line_now_and_then(log, monkeypatch):
    monkeypatch.setattr(module, "time", Clock(step=5.0))
    list(progress(range(10), "counting", 10, "numbers"))
    assert log.messages[0] == "counting: 3 of 10 numbers, 0.2 per second"
    assert len(log.messages) == 3


def test_an_item_may_stand_for_several_units(log, monkeypatch):
    monkeypatch.setattr(module, "time", Clock(step=20.0))
    list(progress(["ab", "cde"], "reading", 5, "letters", len))
    assert [line.split(",")[0] for line in log.messages] == [
        "reading: 2 of 5 letters",
        "reading: 5 of 5 letters",
    ]


def test_terminal_shows_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "counting", 3, "numbers")) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err
