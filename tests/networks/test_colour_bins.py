import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2ycbcr

from image_translation.networks.colour_bins import (
    NEAREST,
    SIGMA,
    SPACING,
    annealed_mean,
    make_bins,
    to_chroma,
    to_offsets,
    to_soft_classes,
    weigh_bins,
)

BINS = make_bins()


def colours(*chroma):
    """Cb and Cr of pixels in a row, 1×2×1×N."""
    return torch.tensor(chroma).T[None, :, None]


def test_bins_are_those_that_srgb_has():
    axis = np.linspace(0, 1, 33)
    cube = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 1, 3)
    chroma = (rgb2ycbcr(cube)[:, 0, 1:] - 128) / 112
    shown = {tuple(row) for row in np.rint(chroma / SPACING).astype(int).tolist()}
    own = {tuple(row) for row in torch.round(BINS / SPACING).int().tolist()}
    assert own <= shown  # a bin beyond the gamut would never be the nearest
    assert len(shown - own) < 0.2 * len(own)  # and few colours are nearest to none
    assert (0, 0) in own


def test_chroma_is_that_of_scikit_image():
    pixels = np.random.default_rng(0).random((1, 6, 3))
    images = torch.tensor(np.moveaxis(pixels, -1, 0))[None] * 2 - 1
    expected = (rgb2ycbcr(pixels)[..., 1:] - 128) / 112
    chroma = to_chroma(images)
    np.testing.assert_allclose(chroma[0].movedim(0, -1), expected, atol=1e-5)
    luma = images.mul(torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, True)
    torch.testing.assert_close(to_offsets(chroma), images - luma)


def test_soft_classes_are_shares_of_the_five_nearest_by_a_gaussian():
    shares, nearest = to_soft_classes(colours((0.03, 0.0)), BINS)
    assert shares.shape == nearest.shape == (1, NEAREST, 1, 1)
    # Of the bins (0, 0), (0.1, 0), (0, ±0.1) and one of (0.1, ±0.1):
    squares = np.array([0.03**2, 0.07**2, 0.0109, 0.0109, 0.07**2 + 0.1**2])
    weights = np.exp(-squares / (2 * 0.05**2))
    np.testing.assert_allclose(shares.flatten(), weights / weights.sum(), rtol=1e-3)
    first = BINS[nearest.flatten()[:2]]
    torch.testing.assert_close(first, torch.tensor([[0.0, 0.0], [0.1, 0.0]]))


def test_soft_classes_of_a_bin_are_symmetric():
    shares, nearest = to_soft_classes(BINS[None, 100:101, :, None].movedim(2, 1), BINS)
    assert nearest[0, 0].item() == 100
    edge = np.exp(-2.0)  # four neighbours at a distance of two σ
    np.testing.assert_allclose(
        shares.flatten(), np.array([1, *[edge] * 4]) / (1 + 4 * edge), rtol=1e-4
    )


def test_annealed_mean_is_the_mean_at_one_and_the_mode_near_zero():
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, len(BINS), 4, 4)
    mean = torch.einsum("nkhw,kc->nchw", logits.softmax(1), BINS)
    torch.testing.assert_close(annealed_mean(logits, BINS, 1.0), mean)
    mode = BINS[logits.argmax(1)].movedim(-1, 1)
    torch.testing.assert_close(annealed_mean(logits, BINS, 1e-3), mode)


def test_annealed_mean_is_that_of_the_paper():
    z = np.array([0.5, 0.3, 0.2])
    powers = z ** (1 / 0.38)  # equation 5: exp(log(z) / T) / Σ exp(log(z) / T)
    expected = powers / powers.sum() @ BINS[:3].numpy()
    logits = torch.tensor(np.log(z), dtype=torch.float32)[None, :, None, None]
    mean = annealed_mean(logits, BINS[:3], 0.38)
    np.testing.assert_allclose(mean.flatten(), expected, rtol=1e-5)


def test_annealed_mean_of_large_logits_is_finite():
    logits = 1e4 * torch.randn(1, len(BINS), 2, 2)
    assert annealed_mean(logits, BINS, 0.01).isfinite().all()


@pytest.mark.parametrize("rebalancing", [0.0, 0.5, 0.9])
def test_weights_have_a_mean_of_one_over_the_smoothed_distribution(rebalancing):
    counts = torch.zeros(len(BINS))
    grey = BINS.abs().sum(1).argmin()
    counts[grey], counts[30] = 9000, 1000
    weights = weigh_bins(counts, BINS, rebalancing)
    # on the grid, as an image: an independent Gaussian
    grid, cells = np.zeros((21, 21)), np.rint(BINS / SPACING).int().numpy() + 10
    grid[tuple(cells.T)] = counts
    smoothed = gaussian_filter(
        grid, SIGMA / SPACING, mode="constant", radius=10, output=float
    )[tuple(cells.T)]
    smoothed /= smoothed.sum()
    assert (smoothed * weights.numpy()).sum() == pytest.approx(1, rel=1e-4)
    inverse = weights * (
        rebalancing * torch.tensor(smoothed) + (1 - rebalancing) / len(BINS)
    )
    torch.testing.assert_close(
        inverse, torch.full_like(inverse, inverse[0]), rtol=1e-3, atol=0
    )
    if rebalancing:
        assert weights[grey] < weights[30] < weights[200]
    else:
        torch.testing.assert_close(weights, torch.ones(len(BINS)))
