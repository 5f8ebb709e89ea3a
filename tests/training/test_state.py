import torch

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
