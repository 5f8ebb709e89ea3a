import pytest

from image_translation.training import loop
from image_translation.training.replicates import train
from image_translation.training.trained import TrainedModel
from tests.training.conftest import make_settings


@pytest.fixture
def train_model(train_pairs, validation_pairs, tmp_path):
    def train_model(model="unet", **changes):
        settings = make_settings(model, **changes)
        return train(model, settings, train_pairs, validation_pairs, tmp_path)

    return train_model


def test_replicates_differ_and_have_their_own_folders(train_model, tmp_path):
    model = train_model(training__replicates=2)
    assert model.status == "trained"
    assert [r.folder for r in model.replicates] == [
        tmp_path / "replicate-0",
        tmp_path / "replicate-1",
    ]
    digests = {replicate.config["weights_sha256"] for replicate in model.replicates}
    assert len(digests) == 2


def test_more_replicates_do_not_change_the_first(train_model, tmp_path):
    train_model()
    path = tmp_path / "replicate-0" / "weights.safetensors"
    before = path.stat().st_mtime_ns
    assert len(train_model(training__replicates=2).replicates) == 2
    assert path.stat().st_mtime_ns == before


def test_baseline_has_one_replicate(train_model):
    assert len(train_model("mean_target", training__replicates=3).replicates) == 1


def test_disabled_model_says_which_parameter(train_model, tmp_path):
    model = train_model(enabled=False)
    assert model.status == "not run"
    assert "models.unet.enabled" in model.reason
    assert model.replicates == ()
    assert not list(tmp_path.iterdir())


def test_diverged_model_has_failed_and_keeps_finished_replicates(
    train_model, monkeypatch
):
    train_batch, calls = loop.train_batch, []

    def diverge(*args, **kwargs):
        calls.append(1)
        losses = train_batch(*args, **kwargs)
        return losses * (float("nan") if len(calls) > 6 else 1)

    monkeypatch.setattr(
        loop, "train_batch", diverge
    )  # in the first epoch of replicate 1
    model = train_model(training__replicates=3)
    assert model.status == "failed"
    assert model.reason.startswith("replicate 1: training diverged in epoch 1")
    assert [replicate.replicate for replicate in model.replicates] == [0]


@pytest.mark.parametrize("changes", [{}, {"enabled": False}])
def test_model_survives_its_json(train_model, tmp_path, changes):
    model = train_model(**changes)
    again = TrainedModel.from_json(model.to_json(), tmp_path)
    assert again == model
    assert again.fingerprint == model.fingerprint


def test_json_can_be_read_where_the_folder_was_moved(train_model, tmp_path):
    text = train_model().to_json()
    assert str(tmp_path) not in text
    moved = (tmp_path / "replicate-0").rename(tmp_path / "moved").parent
    (moved / "moved").rename(moved / "replicate-0")
    TrainedModel.from_json(text, moved).replicates[0].load_generator()


def test_history_names_the_replicate(train_model):
    history = train_model(training__replicates=2).history()
    assert history.groupby("replicate")["epoch"].apply(list).to_dict() == {
        0: [1, 2, 3],
        1: [1, 2, 3],
    }


def test_fingerprint_follows_the_weights(train_model):
    one = train_model().fingerprint
    assert train_model().fingerprint == one
    assert train_model(training__seed=5).fingerprint != one
