import math

import pytest
import torch

from image_translation.training.objectives import (
    adversarial_loss,
    discriminator_loss,
    l1_loss,
)


@pytest.mark.parametrize(
    ("logit", "is_real", "expected"),
    [
        (0.0, True, math.log(2)),
        (0.0, False, math.log(2)),
        (3.0, True, math.log(1 + math.exp(-3))),
        (3.0, False, math.log(1 + math.exp(3))),
    ],
)
def test_adversarial_loss_is_cross_entropy_of_logits(logit, is_real, expected):
    logits = torch.full((2, 1, 3, 3), logit)
    loss = adversarial_loss(logits, is_real=is_real)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_discriminator_loss_is_half_the_sum():
    real, generated = torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), -1.0)
    expected = 0.5 * (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)))
    assert discriminator_loss(real, generated).item() == pytest.approx(expected)


def test_l1_is_the_mean_absolute_difference():
    predictions, targets = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])
    assert l1_loss(predictions, targets).item() == pytest.approx(1.25)


def test_losses_are_taken_in_float32():
    half = torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16)
    assert adversarial_loss(half, is_real=True).dtype == torch.float32
    assert l1_loss(half, half.float()).dtype == torch.float32
