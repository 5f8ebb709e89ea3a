import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from image_translation.metrics import ms_ssim
from image_translation.training.losses import (
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    focal_frequency_loss,
    l1_loss,
    l2_loss,
    ms_ssim_loss,
)
from image_translation.training.tensors import to_tensor


def features(*logits: float, layer: float = 0.0, batch: int = 1) -> list:
    """Features of every scale: a constant layer, and constant logits."""
    return [
        [torch.full((batch, 2, 4, 4), layer), torch.full((batch, 1, 3, 3), value)]
        for value in logits
    ]


def images(count=2, size=64, seed=0):
    """Pairs of 8-bit images that differ by noise."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, size // 8, size // 8, 3))
    targets = coarse.repeat(8, axis=1).repeat(8, axis=2)
    noisy = targets + random.normal(0, 25, targets.shape)
    return noisy.clip(0, 255).astype(np.uint8), targets.astype(np.uint8)


@pytest.mark.parametrize(
    ("gan_loss", "logit", "expected"),
    [
        ("cross_entropy", 0.0, math.log(2)),
        ("cross_entropy", 3.0, math.log(1 + math.exp(-3))),
        ("hinge", 3.0, -3.0),
        ("hinge", -2.0, 2.0),
        ("least_squares", 3.0, 4.0),
        ("least_squares", 1.0, 0.0),
    ],
)
def test_adversarial_loss_of_one_logit(gan_loss, logit, expected):
    loss = adversarial_loss(features(logit), gan_loss)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("gan_loss", "expected"),
    [
        (
            "cross_entropy",
            (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2,
        ),
        ("hinge", (0 + 0) / 2),
        ("least_squares", ((2 - 1) ** 2 + (-1) ** 2) / 2),
    ],
)
def test_discriminator_loss_is_half_the_sum(gan_loss, expected):
    loss = discriminator_loss(features(2.0), features(-1.0), gan_loss)
    assert loss.item() == pytest.approx(expected)


def test_hinge_is_the_shortfall_from_the_margin():
    loss = discriminator_loss(features(0.25), features(0.5), "hinge")
    assert loss.item() == pytest.approx((0.75 + 1.5) / 2)


def test_every_scale_counts_alike():
    two = adversarial_loss(features(1.0, 4.0), "hinge")
    assert two.item() == pytest.approx(-2.5)
    loss = discriminator_loss(features(0.0, -1.0), features(-1.0, -1.0), "hinge")
    assert loss.item() == pytest.approx(((1 + 2) / 2 + 0) / 2)


def test_feature_matching_is_the_difference_inside_the_discriminator():
    generated, real = features(5.0, 5.0, layer=0.5), features(0.0, 0.0, layer=2.0)
    generated[1].insert(0, torch.zeros(1, 1, 2, 2))
    real[1].insert(0, torch.ones(1, 1, 2, 2))
    # layers added up, scales averaged, logits left out
    loss = feature_matching_loss(generated, real)
    assert loss.item() == pytest.approx((1.5 + (1.5 + 1.0)) / 2)


def test_feature_matching_has_no_gradient_for_real_pairs():
    generated, real = features(0.0, layer=1.0), features(0.0)
    for layers in (generated[0], real[0]):
        layers[0].requires_grad_()
    feature_matching_loss(generated, real).backward()
    assert generated[0][0].grad is not None
    assert real[0][0].grad is None


def test_l1_is_the_mean_absolute_difference():
    predictions, targets = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])
    assert l1_loss(predictions, targets).item() == pytest.approx(1.25)
    squares = (predictions - targets).flatten().tolist()
    expected = sum(value**2 for value in squares) / len(squares)
    assert l2_loss(predictions, targets).item() == pytest.approx(expected)


@pytest.mark.parametrize("size", [16, 32, 64, 256])
def test_ms_ssim_is_that_of_the_metric(size):
    a, b = images(size=size)
    loss = ms_ssim_loss(to_tensor(a), to_tensor(b))
    assert loss.item() == pytest.approx(1 - ms_ssim(a, b).mean(), abs=1e-4)


def test_ms_ssim_of_one_scale_is_that_of_scikit_image():
    a, b = (side[0] for side in images(count=1, size=16))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(a, b, data_range=255, channel_axis=-1, **settings)
    loss = ms_ssim_loss(to_tensor(a[None]), to_tensor(b[None]))
    assert loss.item() == pytest.approx(1 - expected, abs=1e-5)


def test_focal_frequency_is_computed_as_in_the_paper():
    a, b = images(count=1, size=16)
    difference = np.moveaxis(a[0] / 255 - b[0] / 255, -1, 0)
    expected = []
    for plane in difference:
        spectrum = np.fft.fft2(plane) / 16  # √(16·16): orthonormal
        distance = np.abs(spectrum) ** 2
        weight = np.abs(spectrum) / np.abs(spectrum).max()
        expected.append((weight * distance).mean())
    loss = focal_frequency_loss(to_tensor(a), to_tensor(b))
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.mark.parametrize("loss", [ms_ssim_loss, focal_frequency_loss])
class TestComparison:
    def test_equal_images_have_none_and_a_finite_gradient(self, loss):
        targets = to_tensor(images()[1])
        predictions = targets.clone().requires_grad_()
        value = loss(predictions, targets)
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-5)
        assert predictions.grad.isfinite().all()

    def test_inverted_images_have_a_finite_gradient(self, loss):
        targets = to_tensor(images()[1])
        predictions = (-targets).requires_grad_()
        loss(predictions, targets).backward()
        assert predictions.grad.isfinite().all()

    def test_a_step_down_the_gradient_reduces_the_loss(self, loss):
        a, b = (to_tensor(side) for side in images())
        a.requires_grad_()
        before = loss(a, b)
        before.backward()
        with torch.no_grad():
            after = loss(a - 0.05 * a.grad / a.grad.abs().max(), b)
        assert after < before


def test_losses_are_taken_in_float32():
    half = torch.zeros(1, 3, 16, 16, dtype=torch.bfloat16)
    found = [[half, half]]
    assert adversarial_loss(found).dtype == torch.float32
    assert feature_matching_loss(found, found).dtype == torch.float32
    for loss in (l1_loss, l2_loss, ms_ssim_loss, focal_frequency_loss):
        assert loss(half, half.float()).dtype == torch.float32
