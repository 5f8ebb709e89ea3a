import os
import signal
from itertools import product
from unittest import mock

import pytest

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.training import devices, loop, results, resume, trainer
from image_translation.training.interruption import Stopped, StopRequest
from image_translation.training.run_folder import CHECKPOINT, PREVIOUS
from tests.training.conftest import (
    TRAINED,
    Recorder,
    assert_same_training,
    interrupt_at_batch,
)


def interrupt_training(train_model, folder, **changes):
    with pytest.raises(KeyboardInterrupt):
        train_model(folder, observers=[Recorder(interrupt_at=2)], **changes)


@pytest.mark.parametrize(
    ("model", "epoch"),
    [
        ("pix2pix", 1),
        ("pix2pix", 3),
        ("unet", 2),
        ("autoencoder", 3),
        ("autoencoder_gan", 2),
        ("structured", 2),
    ],
)
def test_interrupted_training_ends_with_the_same_result(
    train_model, tmp_path, model, epoch
):
    whole = train_model(tmp_path / "whole", model, training__epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train_model(
            tmp_path / "interrupted",
            model,
            observers=[Recorder(interrupt_at=epoch)],
            training__epochs=3,
        )
    assert Stamp(tmp_path / "interrupted").read() is None
    recorder = Recorder()
    interrupted = train_model(
        tmp_path / "interrupted", model, observers=[recorder], training__epochs=3
    )
    assert_same_training(whole, interrupted)
    assert list(recorder.epochs) == list(range(epoch, 4))  # no gap in the curves
    assert recorder.starts[0][1] == (epoch > 1)
    assert not (tmp_path / "interrupted" / CHECKPOINT).exists()


def test_interruption_within_an_epoch_keeps_the_epochs_before(
    train_model, tmp_path, monkeypatch
):
    whole = train_model(tmp_path / "whole")
    with monkeypatch.context() as context:
        interrupt_at_batch(context, 4)  # two batches an epoch
        with pytest.raises(KeyboardInterrupt):
            train_model(tmp_path / "interrupted")
    recorder = Recorder()
    assert_same_training(
        whole, train_model(tmp_path / "interrupted", observers=[recorder])
    )
    assert list(recorder.epochs) == [2, 3]


@pytest.mark.parametrize(
    ("model", "number"),
    [
        *product(TRAINED, [signal.SIGINT, signal.SIGTERM]),
        ("pretrained_unet", signal.SIGTERM),
    ],
)
def test_signal_saves_a_checkpoint_and_loses_nothing(
    train_model, tmp_path, monkeypatch, number, model
):
    changes = {"training__batch_size": 2, "training__ema": 0.9}
    whole = train_model(tmp_path / "whole", model, **changes)
    with monkeypatch.context() as context:
        interrupt_at_batch(context, 5, number)  # the second of three batches of epoch 2
        with pytest.raises(Stopped, match="epoch 2 of 3") as stopped:
            train_model(tmp_path / "interrupted", model, **changes)
    assert stopped.value.exit_code == 128 + number
    again = []
    train_batch = loop.train_batch
    monkeypatch.setattr(
        loop, "train_batch", lambda *a, **k: (again.append(1), train_batch(*a, **k))[1]
    )
    assert_same_training(whole, train_model(tmp_path / "interrupted", model, **changes))
    assert len(again) == 9 - 5


def test_checkpoint_is_saved_when_it_is_due(train_model, tmp_path, monkeypatch):
    kept = []
    save = resume.save_checkpoint
    monkeypatch.setattr(
        resume, "save_checkpoint", lambda *args: (kept.append(1), save(*args))
    )
    train_model(tmp_path / "often", training__checkpoint_minutes=1e-9)
    assert len(kept) == 3 * 2 + 3  # every batch, and every epoch
    kept.clear()
    train_model(tmp_path / "seldom")
    assert len(kept) == 3


def test_full_disk_does_not_stop_the_training(
    train_model, tmp_path, monkeypatch, caplog
):
    whole = train_model(tmp_path / "whole")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resume, "save_checkpoint", fail)
    assert_same_training(whole, train_model(tmp_path / "full"))
    assert "No space left" in caplog.text
    assert "keeping the last good one" in caplog.text


@pytest.mark.parametrize("function", ["save_weights", "save_history"])
def test_disk_full_at_the_end_of_an_epoch_is_an_error_and_loses_only_that_epoch(
    train_model, tmp_path, monkeypatch, function
):
    whole = train_model(tmp_path / "whole")
    save = getattr(results, function)
    calls = []

    def fail_the_second_time(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        save(*arguments)

    with monkeypatch.context() as context:
        context.setattr(results, function, fail_the_second_time)
        with pytest.raises(InputError, match=r"could not be saved in .*No space left"):
            train_model(tmp_path / "full")
    assert_same_training(whole, train_model(tmp_path / "full"))


def test_stop_without_a_checkpoint_gives_no_hint_to_resume(
    train_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        resume, "save_checkpoint", mock.Mock(side_effect=OSError(28, ""))
    )
    interrupt_at_batch(monkeypatch, 3, signal.SIGTERM)
    with pytest.raises(Stopped, match="no checkpoint was saved"):
        train_model(tmp_path)


def test_stop_of_a_forced_training_says_how_to_resume(
    train_model, tmp_path, monkeypatch
):
    interrupt_at_batch(monkeypatch, 3, signal.SIGTERM)
    with pytest.raises(Stopped, match=r"without training\.force$"):
        train_model(tmp_path, training__force=True)


def test_patient_process_ignores_further_signals(train_model, tmp_path, monkeypatch):
    monkeypatch.setattr(StopRequest, "is_patient", True)
    save = resume.save_checkpoint

    def interrupt_again(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        save(*arguments)

    monkeypatch.setattr(resume, "save_checkpoint", interrupt_again)
    interrupt_at_batch(monkeypatch, 1, signal.SIGTERM)
    with pytest.raises(Stopped, match="to resume it"):
        train_model(tmp_path)
    assert (tmp_path / CHECKPOINT).exists()


def send_signal_before(monkeypatch, function):
    """Send a signal before a function of the loop is called."""
    call = getattr(loop, function)

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return call(*arguments)

    monkeypatch.setattr(loop, function, interrupt)


@pytest.mark.parametrize("model", TRAINED)
def test_signal_in_a_validation_stops_it_and_loses_no_step(
    train_model, tmp_path, monkeypatch, model
):
    changes = {"training__epochs": 1, "training__ema": 0.9}
    whole = train_model(tmp_path / "whole", model, **changes)
    with monkeypatch.context() as context:
        send_signal_before(context, "score")
        with pytest.raises(Stopped, match="epoch 1 of 1; to resume it"):
            train_model(tmp_path / "interrupted", model, **changes)
    monkeypatch.setattr(loop, "train_batch", lambda *_: pytest.fail("trained again"))
    assert_same_training(whole, train_model(tmp_path / "interrupted", model, **changes))


def test_stop_of_an_observer_keeps_the_epoch_and_the_reports_of_others(
    train_model, tmp_path
):
    class Stopping(Recorder):
        def on_epoch(self, epoch, metrics, samples):
            if epoch == 2:
                raise Stopped("in a call of MLflow", signal.SIGTERM)

    whole = train_model(tmp_path / "whole")
    recorder = Recorder()
    with pytest.raises(Stopped, match="to resume it"):
        train_model(tmp_path / "stopped", observers=[Stopping(), recorder])
    assert list(recorder.epochs) == [1, 2]
    recorder = Recorder()
    assert_same_training(whole, train_model(tmp_path / "stopped", observers=[recorder]))
    assert list(recorder.epochs) == [3]


def test_signal_after_the_last_step_stops_the_process(
    train_model, tmp_path, monkeypatch
):
    whole = train_model(tmp_path / "whole", training__epochs=1)
    recorder = Recorder()
    with monkeypatch.context() as context:
        send_signal_before(context, "is_best")
        with pytest.raises(Stopped, match="was finished") as stopped:
            train_model(
                tmp_path / "interrupted", observers=[recorder], training__epochs=1
            )
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert len(recorder.ends) == 1
    recorder = Recorder()
    interrupted = train_model(
        tmp_path / "interrupted", observers=[recorder], training__epochs=1
    )
    assert_same_training(whole, interrupted)
    assert not recorder.epochs


@pytest.mark.parametrize("started", ["fp32", "bf16"])
def test_resumed_training_keeps_its_precision(
    train_model, tmp_path, monkeypatch, started
):
    other = {"fp32": "bf16", "bf16": "fp32"}[started]
    monkeypatch.setattr(devices, "fastest_precision", lambda: started)
    whole = train_model(tmp_path / "whole")
    interrupt_training(train_model, tmp_path / "interrupted")
    monkeypatch.setattr(devices, "fastest_precision", lambda: other)
    resumed = train_model(tmp_path / "interrupted")
    assert_same_training(whole, resumed)
    assert resumed.cost["precision"] == started


@pytest.mark.parametrize(
    ("own", "is_other_fp32", "expected"),
    [("bf16", False, "bf16"), ("bf16", True, "fp32"), ("fp32", False, "fp32")],
)
def test_processes_use_float32_unless_all_prefer_bfloat16(
    monkeypatch, own, is_other_fp32, expected
):
    monkeypatch.setattr(trainer, "any_process", lambda value: value or is_other_fp32)
    assert trainer._agree(own) == expected


def test_checkpoint_of_other_settings_is_not_used(train_model, tmp_path):
    interrupt_training(train_model, tmp_path, training__seed=1)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder])
    assert list(recorder.epochs) == [1, 2, 3]


def test_broken_checkpoint_falls_back_to_the_one_before(train_model, tmp_path, caplog):
    whole = train_model(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_model(tmp_path / "interrupted", observers=[Recorder(interrupt_at=3)])
    path = tmp_path / "interrupted" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    recorder = Recorder()
    assert_same_training(
        whole, train_model(tmp_path / "interrupted", observers=[recorder])
    )
    assert list(recorder.epochs) == [2, 3]
    assert "checkpoint.pt, which is unreadable" in caplog.text


def test_without_a_usable_checkpoint_it_starts_from_scratch(train_model, tmp_path):
    interrupt_training(train_model, tmp_path)
    for file in (CHECKPOINT, PREVIOUS):
        (tmp_path / file).write_bytes(b"broken")
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder])
    assert list(recorder.epochs) == [1, 2, 3]


def test_force_does_not_resume(train_model, tmp_path):
    interrupt_training(train_model, tmp_path)
    recorder = Recorder()
    train_model(tmp_path, observers=[recorder], training__force=True)
    assert list(recorder.epochs) == [1, 2, 3]
