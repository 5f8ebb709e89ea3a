"""Fidelity metrics compared with scikit-image, and with SciPy step by step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal
from skimage import data, metrics

from image_translation.metrics import chunks, gmsd, mae, ms_ssim, mse, psnr, ssim


def reference(predictions, targets):
    """``mse, psnr, ssim`` by scikit-image, image by image."""
    pairs = list(zip(targets, predictions, strict=True))
    with np.errstate(divide="ignore"):
        return (
            [metrics.mean_squared_error(a / 255, b / 255) for a, b in pairs],
            [metrics.peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs],
            [
                metrics.structural_similarity(
                    a,
                    b,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                    data_range=255,
                    channel_axis=-1,
                )
                for a, b in pairs
            ],
        )


def assert_equal_to_reference(predictions, targets):
    expected_mse, expected_psnr, expected_ssim = reference(predictions, targets)
    np.testing.assert_allclose(mse(predictions, targets), expected_mse, atol=1e-9)
    np.testing.assert_allclose(psnr(predictions, targets), expected_psnr, atol=1e-9)
    np.testing.assert_allclose(ssim(predictions, targets), expected_ssim, atol=1e-9)


def disturb(images, strength=20):
    random = np.random.default_rng(0)
    noise = random.integers(-strength, strength + 1, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("photo", [data.astronaut, data.chelsea, data.coffee])
def test_scores_of_photographs_equal_scikit_image(photo):
    image = photo()
    target = np.stack([image[:200, :300], image[-200:, -300:]])
    blurred = np.stack([np.roll(target, shift, 2) for shift in (0, 1, 2)]).mean(0)
    assert_equal_to_reference(disturb(target), target)
    assert_equal_to_reference(blurred.astype(np.uint8), target)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 11, 11, 3),
        (5, 11, 40, 1),
        (2, 64, 64, 3),
        (7, 59, 58, 3),  # one tile plus one window
        (2, 12, 258, 4),  # two tiles across
        (1, 120, 510, 3),
    ],
)
def test_scores_of_random_images_of_any_shape_equal_scikit_image(shape):
    random = np.random.default_rng(1)
    predictions = random.integers(0, 256, shape, dtype=np.uint8)
    targets = random.integers(0, 256, shape, dtype=np.uint8)
    assert_equal_to_reference(predictions, targets)


@pytest.mark.parametrize("values", [(0, 0), (255, 255), (255, 254), (0, 255), (0, 1)])
def test_scores_of_flat_images_equal_scikit_image(values):
    predictions, targets = (np.full((1, 32, 32, 3), v, np.uint8) for v in values)
    assert_equal_to_reference(predictions, targets)


def test_scores_of_flat_halves_equal_scikit_image():
    target = np.zeros((1, 64, 64, 3), np.uint8)
    target[:, :, 32:] = 255
    assert_equal_to_reference(disturb(target, 1), target)


def test_identical_images_have_perfect_scores():
    images = data.astronaut()[np.newaxis, :100, :100]
    assert mse(images, images).tolist() == [0]
    assert psnr(images, images).tolist() == [np.inf]
    np.testing.assert_allclose(ssim(images, images), [1], atol=1e-12)


def test_largest_error_is_one_and_zero_decibels():
    black, white = (np.full((1, 16, 16, 3), v, np.uint8) for v in (0, 255))
    assert mse(black, white).tolist() == [1]
    assert psnr(black, white).tolist() == [0]


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(
        st.integers(1, 3), st.integers(11, 70), st.integers(11, 70), st.integers(1, 4)
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_scores_are_symmetric_and_in_range(shape, seed):
    random = np.random.default_rng(seed)
    low, high = np.sort(random.integers(0, 256, 2))
    a, b = random.integers(low, high + 1, (2, *shape), dtype=np.uint8)
    for metric in (mse, psnr, ssim):
        np.testing.assert_allclose(metric(a, b), metric(b, a), rtol=1e-12)
    assert ((mse(a, b) >= 0) & (mse(a, b) <= 1)).all()
    assert (psnr(a, b) >= 0).all()
    assert (np.abs(ssim(a, b)) <= 1 + 1e-12).all()


@pytest.mark.parametrize("metric", [mse, psnr, ssim, mae, ms_ssim, gmsd])
def test_score_of_an_image_does_not_depend_on_the_others(metric):
    random = np.random.default_rng(2)
    predictions, targets = random.integers(0, 256, (2, 50, 40, 40, 3), dtype=np.uint8)
    alone = [
        metric(predictions[i : i + 1], targets[i : i + 1])[0]
        for i in range(len(targets))
    ]
    np.testing.assert_array_equal(metric(predictions, targets), alone)


@pytest.mark.parametrize("metric", [mse, psnr, ssim, mae, ms_ssim, gmsd])
def test_no_images_give_no_scores(metric):
    empty = np.empty((0, 32, 32, 3), np.uint8)
    assert metric(empty, empty).shape == (0,)


def test_memory_mapped_and_strided_images_are_scored(tmp_path):
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    expected = ssim(images[::2], images[1::2])
    np.testing.assert_array_equal(ssim(mapped[::2], mapped[1::2]), expected)


GOOD = np.zeros((2, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("metric", [mse, psnr, ssim, mae, ms_ssim, gmsd])
@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        (GOOD.astype(np.float32), GOOD, "predictions must be uint8.*float32"),
        (GOOD, GOOD.astype(np.int16), "targets must be uint8.*int16"),
        (GOOD[0], GOOD[0], "N×H×W×C"),
        (GOOD, GOOD[:1], "the same shape"),
        (GOOD[:, :0], GOOD[:, :0], "no pixels"),
    ],
)
def test_invalid_arrays_are_rejected(metric, predictions, targets, message):
    with pytest.raises(ValueError, match=message):
        metric(predictions, targets)


def test_ssim_rejects_images_smaller_than_its_window():
    small = np.zeros((1, 10, 30, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 11×11 pixels, not 10×30"):
        ssim(small, small)


def test_chunks_cover_all_images_and_stay_small():
    found = list(chunks._chunks((1000, 64, 64, 3)))
    assert [i for chunk in found for i in range(1000)[chunk]] == list(range(1000))
    assert found[0].stop * 64 * 64 * 3 < 2**18


def photographs():
    """Noisy, blurred and shifted photographs with their targets, 200×176 pixels."""
    target = np.stack([data.astronaut()[:200, :176], data.chelsea()[-200:, :176]])
    blurred = ndimage.gaussian_filter(target, (0, 2, 2, 0))
    predictions = [disturb(target), blurred, np.roll(target, 3, axis=1)]
    return np.concatenate(predictions), np.concatenate([target] * 3)


def ms_ssim_of_plane(a, b, scales):
    """MS-SSIM of two planes step by step, with SciPy's Gaussian filter."""
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights /= weights.sum()
    result = 1.0
    for scale in range(scales):

        def mean(x):
            return ndimage.gaussian_filter(x, 1.5, radius=5)[5:-5, 5:-5]

        mean_a, mean_b = mean(a), mean(b)
        covariance = mean(a * b) - mean_a * mean_b
        variances = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
        parts = (2 * covariance + 58.5225) / (variances + 58.5225)
        if scale == scales - 1:
            parts *= (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
        result *= parts.mean() ** weights[scale]
        height, width = (side // 2 for side in a.shape)
        a, b = (
            x[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
            for x in (a, b)
        )
    return result


@pytest.mark.parametrize(("size", "scales"), [(176, 5), (64, 3), (45, 3), (21, 1)])
def test_ms_ssim_equals_its_definition(size, scales):
    predictions, targets = (side[:, :size, :size] for side in photographs())
    expected = [
        np.mean(
            [ms_ssim_of_plane(a[..., c], b[..., c], scales) for c in range(a.shape[-1])]
        )
        for a, b in zip(predictions.astype(float), targets.astype(float), strict=True)
    ]
    np.testing.assert_allclose(ms_ssim(predictions, targets), expected, atol=1e-9)


def test_ms_ssim_of_one_scale_is_ssim():
    predictions, targets = (side[:, :20, :20] for side in photographs())
    plain = ssim(predictions[..., :1], targets[..., :1])
    found = ms_ssim(predictions[..., :1], targets[..., :1])
    np.testing.assert_allclose(found, np.maximum(plain, 0))


def test_negative_structure_counts_as_0():
    stripes = np.tile(np.uint8([0, 255]), 16)
    image = np.broadcast_to(stripes[:, None, None], (32, 32, 3))[None]
    assert ms_ssim(255 - image, image)[0] == 0


def gmsd_of_image(a, b):
    """GMSD step by step, as in the authors' MATLAB code."""
    kernel = np.outer([1, 1, 1], [1, 0, -1]) / 3
    magnitudes = []
    for image in (a, b):
        luma = image.astype(float) @ [0.299, 0.587, 0.114]
        means = signal.convolve2d(luma, np.full((2, 2), 0.25))[1:, 1:][::2, ::2]
        across = signal.convolve2d(means, kernel, mode="same")
        down = signal.convolve2d(means, kernel.T, mode="same")
        magnitudes.append(np.sqrt(across**2 + down**2))
    a, b = magnitudes
    return ((2 * a * b + 170) / (a**2 + b**2 + 170)).std(ddof=1)


@pytest.mark.parametrize("height, width", [(64, 80), (11, 11), (63, 80), (64, 79)])
def test_gmsd_equals_the_authors_code_at_even_and_odd_sizes(height, width):
    predictions, targets = (side[:, :height, :width] for side in photographs())
    pairs = zip(predictions, targets, strict=True)
    expected = [gmsd_of_image(a, b) for a, b in pairs]
    np.testing.assert_allclose(gmsd(predictions, targets), expected, atol=1e-9)


def test_mae_of_a_hand_computed_case():
    predictions = np.zeros((1, 2, 2, 3), np.uint8)
    predictions[0, 0, 0] = 255, 51, 0
    expected = (1 + 0.2) / 12
    assert mae(predictions, np.zeros_like(predictions))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("metric", "value"), [(mae, 0), (ms_ssim, 1), (gmsd, 0)])
def test_equal_images_score_best(metric, value):
    images = photographs()[0]
    np.testing.assert_allclose(metric(images, images), value, atol=1e-12)


def test_gmsd_rejects_images_smaller_than_4_pixels():
    tiny = np.zeros((1, 3, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 4×4"):
        gmsd(tiny, tiny)
