import numpy as np
import pytest
import torch

from image_translation.app.deadline import Deadline, Timed, TooLongError
from image_translation.training.inference import translate
from image_translation.training.settings import InferenceSettings

SQUARES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
SETTINGS = InferenceSettings(batch_size=1, dropout=False, batch_statistics=False)


class Slow(torch.nn.Module):
    """Inverts images; takes a second for a batch."""

    def __init__(self, tick):
        super().__init__()
        self.tick = tick

    def forward(self, images):
        self.tick()
        return -images


def translate_within(seconds):
    """Translate three images, one by one, at a second each."""
    times = [0.0]
    deadline = Deadline(seconds, lambda: times[-1])
    network = Timed(Slow(lambda: times.append(times[-1] + 1)), deadline)
    return translate(network, SQUARES, SETTINGS)


def test_network_stops_when_its_time_is_over():
    translated = translate_within(1.5)
    assert len([next(translated), next(translated)]) == 2
    with pytest.raises(TooLongError):
        next(translated)


def test_in_time_nothing_changes():
    assert (np.concatenate(list(translate_within(9))) == 255 - SQUARES).all()
