import logging

import pytest

from image_translation.training import progress as module
from image_translation.training.progress import TrainingPlan, TrainingProgress


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def plan(monkeypatch):
    plan = TrainingPlan()
    monkeypatch.setattr(module, "plan", plan)
    return plan


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    caplog.set_level(logging.INFO, logger="image_translation.training.progress")
    return caplog


def test_log_has_a_line_per_interval_and_one_at_the_end(clock, log):
    with TrainingProgress("pix2pix replicate 0", 8) as progress:
        for _ in range(4):
            clock.now += 10
            progress.advance(2)
            if progress.is_due():
                progress.show({"train/l1": 0.25})
    assert log.messages == [
        "pix2pix replicate 0: 4 of 8 images, 0.2 per second, 00:20 left, train/l1 0.25",
        "pix2pix replicate 0: 8 of 8 images, 0.2 per second, train/l1 0.25",
        "pix2pix replicate 0: 8 of 8 images, 0.2 per second, train/l1 0.25",
    ]


def test_time_left_of_the_run_follows_from_the_trainings_so_far(clock, log, plan):
    plan.left, plan.seconds = 3, [100.0]
    with TrainingProgress("unet replicate 0", 8) as progress:
        clock.now += 30
        progress.advance(4)
        progress.show({})
        clock.now += 30
        progress.advance(4)
    assert "00:30 left (run: 03:10)" in log.messages[0]  # 30 + 2 × (100 + 60) / 2
    assert (plan.left, plan.seconds) == (2, [100.0, 60.0])


def test_speed_ignores_images_before_a_resume(clock, log):
    with TrainingProgress("unet replicate 0", 10, done=6) as progress:
        clock.now += 2
        progress.advance(4)
    assert log.messages == ["unet replicate 0: 10 of 10 images, 2.0 per second"]


def test_interrupted_training_logs_no_end(clock, log):
    with pytest.raises(KeyboardInterrupt), TrainingProgress("unet", 10):
        raise KeyboardInterrupt
    assert not log.messages


def test_process_that_is_not_the_first_shows_no_bar(clock, log, capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with TrainingProgress("unet", 4, bar=False) as progress:
        progress.advance(4)
    assert not capsys.readouterr().err
    assert len(log.messages) == 1


def test_terminal_shows_a_bar_with_losses(clock, log, capsys, monkeypatch, plan):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    plan.left = 2
    with TrainingProgress("unet", 4) as progress:
        clock.now += 5
        progress.advance(4)
        progress.show({"train/l1": 0.25})
    shown = capsys.readouterr().err
    assert "unet" in shown
    assert "run=00:05 left" in shown
    assert len(log.messages) == 1
    assert "train/l1=0.25" in shown
