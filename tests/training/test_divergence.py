import pytest

from image_translation.common.errors import InputError
from tests.training.conftest import Recorder, diverge_in


def test_loss_that_explodes_ends_training(train_model, tmp_path, monkeypatch):
    diverge_in(monkeypatch, epoch=2, loss=1e9)
    trained = train_model(tmp_path)
    assert "diverged in epoch 2" in trained.failure
    assert trained.best_epoch == 1


def test_loss_that_is_not_finite_ends_training_with_the_best_before(
    train_model, tmp_path, monkeypatch
):
    diverge_in(monkeypatch, epoch=3)
    recorder = Recorder()
    trained = train_model(tmp_path, observers=[recorder])
    assert "diverged in epoch 3: train/l1 is nan" in trained.failure
    assert "training.learning_rate" in trained.failure
    assert list(recorder.epochs) == [1, 2]
    assert recorder.ends == [trained]
    assert trained.best_epoch in (1, 2)
    trained.load_generator()


def test_training_that_diverges_at_once_has_no_weights(
    train_model, tmp_path, monkeypatch
):
    diverge_in(monkeypatch, epoch=1)
    trained = train_model(tmp_path)
    assert trained.best_epoch is None
    assert trained.failure
    assert trained.history().empty
    with pytest.raises(InputError, match="weights.safetensors"):
        trained.load_generator()


def test_weights_that_are_not_finite_after_the_last_step_are_found(
    train_model, tmp_path
):
    trained = train_model(
        tmp_path, training__learning_rate=1e38, training__batch_size=8
    )
    assert "not finite" in trained.failure or "nan" in trained.failure
