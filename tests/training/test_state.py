import pytest
import torch

from image_translation.common.errors import InputError
from image_translation.networks.encoder_weights import read_weights
from image_translation.training.state import TrainingState, dump, restore
from tests.training.conftest import SIZE, make_settings


class TestAverage:
    def start(self) -> TrainingState:
        return TrainingState.start(make_settings(training__ema=0.5), SIZE, 0, "cpu")

    def test_decays_faster_at_the_start(self):
        """Against the recursion by hand: decays 2/11, 3/12, … up to the one asked for."""
        state = self.start()
        weight = next(state.generator.parameters())
        expected = weight.detach().clone()
        for decay in (2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5):
            with torch.no_grad():
                weight += torch.randn_like(weight)
            expected = decay * expected + (1 - decay) * weight.detach()
            state.update_average(0.5)
            averaged = next(state.translator.parameters())
            torch.testing.assert_close(averaged, expected)

    def test_resumed_average_continues(self):
        state, restored = self.start(), self.start()
        for _ in range(3):
            state.update_average(0.5)
        restore(restored, dump(state))
        for one in (state, restored):
            with torch.no_grad():
                for weight in one.generator.parameters():
                    weight.fill_(1.0)
            one.update_average(0.5)
        pairs = zip(
            state.translator.parameters(), restored.translator.parameters(), strict=True
        )
        assert all(torch.equal(*pair) for pair in pairs)


class TestOptimizers:
    def start(self, model: str = "pretrained_unet", **changes) -> TrainingState:
        return TrainingState.start(make_settings(model, **changes), SIZE, 0, "cpu")

    def test_encoder_has_a_rate_of_its_own(self):
        state = self.start()
        state.set_learning_rate(0.4)
        others, encoder = state.optimizers["generator"].param_groups
        assert (others["lr"], encoder["lr"]) == (0.4, 0.1)
        own = {id(p) for p in state.generator.pretrained.parameters()}
        assert {id(p) for p in encoder["params"]} == own
        together = len(others["params"]) + len(encoder["params"])
        assert together == len(list(state.generator.parameters()))

    def test_other_networks_have_one_rate(self):
        state = self.start("pix2pix", training__encoder_rate=0.1)
        state.set_learning_rate(0.4)
        for optimizer in state.optimizers.values():
            assert [group["lr"] for group in optimizer.param_groups] == [0.4]

    def test_weight_decay_shrinks_weights_without_gradients(self):
        """Loshchilov & Hutter 2019: by learning rate times decay, apart from Adam's step."""
        state = self.start(training__weight_decay=0.5)
        weight = next(state.generator.pretrained.parameters())
        before = weight.detach().clone()
        for parameter in state.generator.parameters():
            parameter.grad = torch.zeros_like(parameter)
        state.set_learning_rate(0.4)
        state.step("generator")
        torch.testing.assert_close(weight.detach(), before * (1 - 0.4 * 0.25 * 0.5))

    def test_without_weight_decay_it_is_adam(self):
        assert type(self.start("unet").optimizers["generator"]) is torch.optim.Adam


class TestEncoderWeights:
    def start(self, **changes) -> TrainingState:
        return TrainingState.start(
            make_settings("pretrained_unet", **changes), SIZE, 0, "cpu"
        )

    def test_encoder_starts_from_published_weights(self):
        published = read_weights("lite0", "imagenet")["_conv_stem.weight"]
        for network in self.start().networks.values():
            assert torch.equal(network.encoder[0][0][1].weight, published)

    def test_null_leaves_the_weights_of_the_seed(self):
        states = [self.start(training__encoder_weights=None) for _ in range(2)]
        weights = [next(s.generator.encoder.parameters()) for s in states]
        published = read_weights("lite0", "imagenet")["_conv_stem.weight"]
        assert torch.equal(*weights)
        assert not torch.equal(weights[0], published)

    def test_weights_of_another_encoder_are_an_error(self, tmp_path):
        torch.save({"a": torch.zeros(2)}, tmp_path / "own.pth")
        with pytest.raises(
            InputError, match=r"own\.pth does not fit the encoder lite0"
        ):
            self.start(training__encoder_weights=str(tmp_path / "own.pth"))

    def test_network_without_encoder_is_an_error(self):
        settings = make_settings("unet", training__encoder_weights="imagenet")
        with pytest.raises(
            InputError, match=r"unet has no pretrained encoder; pass null"
        ):
            TrainingState.start(settings, SIZE, 0, "cpu")
