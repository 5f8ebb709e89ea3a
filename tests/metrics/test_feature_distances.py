"""FID and KID with a substitute for Inception, and the encoder distances."""

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from torch import nn
from torch.nn import functional

from image_translation.common.errors import InputError
from image_translation.metrics import SET_METRICS
from image_translation.metrics.feature_distances import (
    feature_contributions,
    feature_floor,
    fid,
    fid_contributions,
    kid,
    kid_contributions,
    read_encoder,
    score_features,
)
from image_translation.metrics.settings import LearnedMetricsSettings

RANDOM = np.random.default_rng(0)
PREDICTIONS, TARGETS = RANDOM.integers(0, 256, (2, 5, 64, 64, 3), dtype=np.uint8)
NONE = dict.fromkeys(LearnedMetricsSettings.model_fields)


class Features(nn.Module):
    """Substitute for the Inception program with the same inputs and outputs."""

    def forward(self, images: torch.Tensor, return_features: bool = False):
        pooled = functional.adaptive_avg_pool2d(images.float() / 255, 2)
        return pooled.flatten(1) if return_features else images


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "inception.pt"
    torch.jit.script(Features()).save(path)
    return LearnedMetricsSettings(**{**NONE, "inception": str(path)})


@pytest.fixture(scope="module")
def encoder():
    return LearnedMetricsSettings(**{**NONE, "encoder": "lite0"})


def test_fid_is_the_distance_of_the_normal_distributions():
    a, b = RANDOM.normal(size=(50, 6)), RANDOM.normal(0.5, 2, (50, 6))
    first, second = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2)
    expected += np.trace(first + second - 2 * root)
    assert fid(a, b) == pytest.approx(expected)


def test_kid_is_a_mean_over_pairs_of_images():
    a, b = RANDOM.normal(size=(7, 4)), RANDOM.normal(0.5, 1, (7, 4))

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def within(x):
        return np.mean(
            [kernel(x[i], x[j]) for i in range(7) for j in range(7) if i != j]
        )

    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kid(a, b) == pytest.approx(within(a) + within(b) - 2 * across)


def test_set_scores_use_the_features_of_a_torchscript_program(inception):
    batches = iter([PREDICTIONS[:2], PREDICTIONS[2:]])
    table = score_features(batches, TARGETS, list("aabbc"), inception)
    table = table.set_index("metric")
    assert list(table.index) == ["fid", "kid"]
    assert set(table.index) <= set(SET_METRICS)
    pooled = [
        side.reshape(5, 2, 32, 2, 32, 3).mean((2, 4)).transpose(0, 3, 1, 2) / 255
        for side in (PREDICTIONS, TARGETS)
    ]
    features = [side.reshape(5, -1) for side in pooled]
    assert table["value"]["fid"] == pytest.approx(fid(*features), abs=1e-6)
    by_group = kid_contributions(*features, np.array([0, 0, 1, 1, 2]))
    expected = by_group @ [0.4, 0.4, 0.2]
    assert table["value"]["kid"] == pytest.approx(expected, abs=1e-6)
    assert table["ci_low"]["kid"] < table["value"]["kid"] < table["ci_high"]["kid"]
    assert table["ci_low"]["fid"] < table["value"]["fid"] < table["ci_high"]["fid"]
    images = feature_contributions([PREDICTIONS], TARGETS, list("aabbc"), inception)
    np.testing.assert_allclose(images.mean(), table["value"])
    assert list(images["kid"].round(9).duplicated()) == [
        False,
        True,
        False,
        True,
        False,
    ]
    floor = feature_floor(TARGETS, list("aabbc"), inception).set_index("metric")[
        "floor"
    ]
    np.testing.assert_array_equal(floor, table["floor"])


def test_no_network_gives_no_columns():
    settings = LearnedMetricsSettings(**NONE)
    assert feature_contributions([], TARGETS, range(5), settings).shape == (5, 0)
    assert feature_floor(TARGETS, range(5), settings).empty


@pytest.mark.parametrize("shape", [(8, 30), (30, 4)])
def test_contributions_to_fid_are_its_derivatives(shape):
    a, b = RANDOM.normal(size=shape), RANDOM.normal(0.5, 2, shape)
    found = fid_contributions(a, b)
    assert found.mean() == pytest.approx(fid(a, b))
    # Moments of images repeated 10,000 times, one of them 10,001 times.
    for image in range(3):
        weights = np.full(len(a), 10_000.0)
        weights[image] += 1
        moved = weighted_fid(a, b, weights) - weighted_fid(a, b, np.ones(len(a)))
        derivative = moved * weights.sum()
        scale = len(a) / (len(a) - 1)  # of the covariances
        shift = a.mean(0) - b.mean(0)
        means = 2 * (a - b)[image] @ shift - 2 * shift @ shift
        expected = scale * (derivative - means) + means
        assert found[image] - found.mean() == pytest.approx(
            expected, rel=0.02, abs=0.02
        )


def weighted_fid(a, b, weights):
    """FID between weighted moments of a population."""
    means = [np.average(x, axis=0, weights=weights) for x in (a, b)]
    covariances = [np.cov(x.T, aweights=weights, ddof=0) for x in (a, b)]
    roots = np.sqrt(
        np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0)
    )
    traces = sum(np.trace(covariance) for covariance in covariances)
    return np.sum((means[0] - means[1]) ** 2) + traces - 2 * roots.sum()


def test_contributions_to_kid_are_a_jackknife_over_pairs_of_different_groups():
    a, b = RANDOM.normal(size=(9, 4)), RANDOM.normal(0.5, 1, (9, 4))
    codes = np.array([0, 0, 1, 2, 2, 2, 3, 3, 4])

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def distance(taken):
        return np.mean(
            [
                kernel(a[i], a[j]) + kernel(b[i], b[j]) - 2 * kernel(a[i], b[j])
                for i in taken
                for j in taken
                if codes[i] != codes[j]
            ]
        )

    value, counts = distance(range(9)), np.bincount(codes)
    rest = [distance(np.flatnonzero(codes != group)) for group in range(5)]
    ratio = 9 / counts
    pseudo = ratio * value - (ratio - 1) * rest
    found = kid_contributions(a, b, codes)
    assert counts @ found / 9 == pytest.approx(value)
    np.testing.assert_allclose(found - found[0], pseudo - pseudo[0])


def test_kid_of_one_distribution_has_expectation_0():
    random = np.random.default_rng(0)
    codes = np.repeat(np.arange(10), 2)
    values, plain = [], []
    for _ in range(300):
        scenes = random.normal(size=(10, 3))[codes]  # shared by both sets
        a, b = (scenes + random.normal(size=(20, 3)) for _ in range(2))
        values.append(kid_contributions(a, b, codes).mean())
        plain.append(kid(a, b))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert np.mean(plain) < -0.1  # a prediction is closer to its own target


def test_broken_program_is_rejected(tmp_path):
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no weights")
    settings = LearnedMetricsSettings(**{**NONE, "inception": str(broken)})
    with pytest.raises(InputError, match="not a TorchScript program"):
        score_features([PREDICTIONS], TARGETS, range(5), settings)


def test_encoder_distances_are_those_of_its_last_maps(encoder):
    groups, network = list("aabbc"), read_encoder("lite0")
    batches = iter([PREDICTIONS[:2], PREDICTIONS[2:]])
    table = score_features(batches, TARGETS, groups, encoder).set_index("metric")
    assert list(table.index) == ["encoder_frechet", "encoder_kernel"]
    assert set(table.index) <= set(SET_METRICS)
    features = []
    for side in (PREDICTIONS, TARGETS):
        images = torch.from_numpy(side).permute(0, 3, 1, 2) / 127.5 - 1
        images = functional.interpolate(images, scale_factor=2.0, mode="bilinear")
        with torch.no_grad():
            features.append(network(images)[-1].mean((2, 3)).double().numpy())
    assert features[0].shape == (5, 320)
    assert table["value"]["encoder_frechet"] == pytest.approx(fid(*features), rel=1e-4)
    by_group = kid_contributions(*features, np.array([0, 0, 1, 1, 2]))
    expected = by_group @ [0.4, 0.4, 0.2]
    assert table["value"]["encoder_kernel"] == pytest.approx(expected, rel=1e-3)
    images = feature_contributions([PREDICTIONS], TARGETS, groups, encoder)
    np.testing.assert_allclose(images.mean(), table["value"])
    floor = feature_floor(TARGETS, groups, encoder).set_index("metric")["floor"]
    np.testing.assert_allclose(floor, table["floor"])


def test_two_networks_read_the_predictions_once(encoder, inception):
    both = inception.model_copy(update={"encoder": "lite0"})
    batches = iter([PREDICTIONS[:2], PREDICTIONS[2:]])
    found = feature_contributions(batches, TARGETS, range(5), both)
    assert list(found) == ["fid", "kid", "encoder_frechet", "encoder_kernel"]
    for one in (inception, encoder):
        alone = feature_contributions([PREDICTIONS], TARGETS, range(5), one)
        np.testing.assert_allclose(found[list(alone)], alone)


def test_without_images_the_columns_are_named(encoder):
    found = feature_contributions([], TARGETS[:0], [], encoder)
    assert list(found) == ["encoder_frechet", "encoder_kernel"]
    assert not len(found)


def test_blurred_photographs_are_farther_than_other_photographs(encoder):
    """Sets of one distribution are close, although their images differ."""
    photos = [data.astronaut(), data.chelsea(), data.coffee()]
    crops = np.stack(
        [
            photo[top : top + 128, left : left + 128]
            for photo in photos
            for top in (0, 60, 120)
            for left in (40, 130, 220)
        ]
    )
    first, second = crops[::2][:13], crops[1::2]
    blurred = gaussian_filter(first.astype(float), (0, 3, 3, 0)).astype(np.uint8)
    values = [
        score_features([images], second, range(13), encoder).set_index("metric")[
            "value"
        ]
        for images in (first, blurred)
    ]
    assert (values[0] < values[1]).all()
