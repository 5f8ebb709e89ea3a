from typing import ClassVar
from unittest import mock

import pytest
import torch

from image_translation.common.errors import InputError
from image_translation.networks.encoder_weights import read_weights
from image_translation.training import loop, results
from image_translation.training.warm_start import START
from tests.training.conftest import diverge_in


class TestWarmStart:
    def test_first_step_starts_from_the_weights(self, train_model, tmp_path):
        first = train_model(tmp_path / "first", training__epochs=6)
        again = train_model(
            tmp_path / "again",
            training__epochs=1,
            training__learning_rate=1e-9,
            training__warm_start=str(first.folder),
        )
        weights_before = first.load_generator().state_dict()
        weights_after = again.load_generator().state_dict()
        for name, value in first.load_generator().named_parameters():
            torch.testing.assert_close(value, weights_after[name], atol=1e-6, rtol=0)
        assert weights_before.keys() == weights_after.keys()

    def test_missing_weights_are_named(self, train_model, tmp_path):
        with pytest.raises(InputError, match=r"training\.warm_start.*nowhere"):
            train_model(tmp_path, training__warm_start=str(tmp_path / "nowhere"))

    def test_weights_of_another_network_are_rejected(self, train_model, tmp_path):
        first = train_model(tmp_path / "first", "autoencoder", training__epochs=1)
        with pytest.raises(InputError, match="does not fit this network"):
            train_model(
                tmp_path / "again", "unet", training__warm_start=str(first.folder)
            )

    def test_weights_that_do_not_fit_leave_the_old_ones(self, train_model, tmp_path):
        other = train_model(tmp_path / "other", "autoencoder", training__epochs=1)
        folder = tmp_path / "own"
        before = train_model(folder, "unet", training__epochs=1)
        with pytest.raises(InputError, match="does not fit this network"):
            train_model(folder, "unet", training__warm_start=str(other.folder))
        again = train_model(folder, "unet", training__epochs=1)
        assert again.config["weights_sha256"] == before.config["weights_sha256"]
        before.load_generator()

    def test_weights_that_it_would_replace_are_rejected_and_kept(
        self, train_model, tmp_path
    ):
        first = train_model(tmp_path, training__epochs=1)
        with pytest.raises(InputError, match="pass previous to start from it"):
            train_model(tmp_path, training__warm_start=str(first.folder))
        first.load_generator()


class TestEncoderWeights:
    def test_their_name_is_in_the_configuration(self, train_model, tmp_path):
        trained = train_model(tmp_path, "pretrained_unet", training__epochs=1)
        assert trained.config["encoder_weights"] == "imagenet"
        assert trained.config["network"]["encoder"] == "lite0"

    def test_changed_file_retrains(self, train_model, tmp_path):
        file, weights = tmp_path / "own.pth", read_weights("lite0", "imagenet")
        digests = []
        for value in (0.5, 0.5, 0.25):
            weights["_conv_stem.weight"].fill_(value)
            torch.save(weights, file)
            trained = train_model(
                tmp_path / "trained",
                "pretrained_unet",
                training__epochs=1,
                training__encoder_weights=str(file),
            )
            digests.append(trained.config["weights_sha256"])
        assert digests[0] == digests[1] != digests[2]
        assert trained.config["encoder_weights"] == "own.pth"

    def test_missing_file_is_an_error(self, train_model, tmp_path):
        with pytest.raises(
            InputError, match=r"encoder_weights: .*own\.pth does not exist"
        ):
            train_model(tmp_path, training__encoder_weights=str(tmp_path / "own.pth"))


class TestWarmStartFromTheTrainingBefore:
    CHANGES: ClassVar = {"training__warm_start": "previous", "training__epochs": 1}

    def test_starts_from_the_weights_it_replaces(self, train_model, tmp_path):
        folder = tmp_path / "replicate-0"
        first = train_model(folder, training__epochs=6).load_generator()
        rate = {"training__learning_rate": 1e-9}
        again = train_model(folder, **self.CHANGES, **rate).load_generator()
        for one, other in zip(first.parameters(), again.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
        assert not (folder / START).exists()

    def test_is_up_to_date_afterwards(self, train_model, tmp_path):
        train_model(tmp_path, **self.CHANGES)
        again = train_model(tmp_path, **self.CHANGES)
        steps = []
        with mock.patch.object(loop, "train_batch", steps.append):
            assert train_model(tmp_path, **self.CHANGES).config == again.config
        assert not steps

    def test_without_one_starts_as_usual(self, train_model, tmp_path):
        usual = train_model(tmp_path / "usual", training__epochs=1)
        warm = train_model(tmp_path / "warm", **self.CHANGES)
        assert warm.config["weights_sha256"] == usual.config["weights_sha256"]

    def test_changed_network_starts_with_random_weights(
        self, train_model, tmp_path, caplog
    ):
        train_model(tmp_path / "a", "autoencoder", training__epochs=1)
        warm = train_model(tmp_path / "a", "unet", **self.CHANGES)
        assert "Starting with random weights" in caplog.text
        usual = train_model(tmp_path / "b", "unet", training__epochs=1)
        assert warm.config["weights_sha256"] == usual.config["weights_sha256"]

    def test_training_that_diverges_at_once_leaves_the_weights_to_start_from(
        self, train_model, tmp_path, monkeypatch
    ):
        for name in ("whole", "cut"):
            train_model(tmp_path / name, training__epochs=2, training__seed=5)
        slower = self.CHANGES | {"training__learning_rate": 1e-4}
        whole = train_model(tmp_path / "whole", **slower)
        with monkeypatch.context() as context:
            diverge_in(context, epoch=1)
            assert train_model(tmp_path / "cut", **self.CHANGES).failure
        cut = train_model(tmp_path / "cut", **slower)
        assert cut.config["weights_sha256"] == whole.config["weights_sha256"]
        assert not (tmp_path / "cut" / START).exists()

    def test_interrupted_anywhere_ends_with_the_same_weights(
        self, train_model, tmp_path, monkeypatch
    ):
        for name in ("whole", "cut"):
            train_model(tmp_path / name, training__epochs=2, training__seed=5)
        changes = self.CHANGES | {"training__epochs": 2}
        whole = train_model(tmp_path / "whole", **changes)
        for module, function in (
            (loop, "train_batch"),
            (loop, "score"),
            (results, "save_history"),
        ):
            with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                patched.setattr(
                    module, function, mock.Mock(side_effect=KeyboardInterrupt)
                )
                train_model(tmp_path / "cut", **changes)
            assert (tmp_path / "cut" / START).is_file()
        cut = train_model(tmp_path / "cut", **changes)
        assert cut.config["weights_sha256"] == whole.config["weights_sha256"]
