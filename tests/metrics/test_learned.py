"""Learned metrics with random weights in the formats of the published files."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn
from torch.nn import functional

from image_translation.common.errors import InputError
from image_translation.metrics import SET_METRICS
from image_translation.metrics.learned import (
    feature_contributions,
    feature_floor,
    fid,
    fid_contributions,
    kid,
    kid_contributions,
    load_learned_metrics,
    score_features,
)
from image_translation.metrics.settings import LearnedMetricsSettings

RANDOM = np.random.default_rng(0)
PREDICTIONS, TARGETS = RANDOM.integers(0, 256, (2, 5, 64, 64, 3), dtype=np.uint8)
NONE = dict.fromkeys(LearnedMetricsSettings.model_fields)


def relu_stack(*layers):
    """Layers with a ReLU after each convolution, numbered as torchvision does."""
    modules = []
    for layer in layers:
        modules.append(layer)
        if isinstance(layer, nn.Conv2d):
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


def make_alexnet():
    torch.manual_seed(0)
    return relu_stack(
        nn.Conv2d(3, 64, 11, 4, 2),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.Conv2d(256, 256, 3, padding=1),
    )


def make_vgg():
    torch.manual_seed(0)
    layers, channels = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        layers.append(nn.MaxPool2d(2))
    return relu_stack(*layers)


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory):
    """Settings with files for LPIPS, and the content of the files."""
    folder, network = tmp_path_factory.mktemp("lpips"), make_alexnet()
    heads = {
        f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1)
        for i, c in enumerate((64, 192, 384, 256, 256))
    }
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, folder / "alexnet.pth")
    torch.save(heads, folder / "alex.pth")
    paths = {
        "lpips_backbone": str(folder / "alexnet.pth"),
        "lpips_heads": str(folder / "alex.pth"),
    }
    return LearnedMetricsSettings(**{**NONE, **paths}), network, heads


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """Settings with files for DISTS, and the content of the files."""
    folder, network = tmp_path_factory.mktemp("dists"), make_vgg()
    weights = {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, folder / "vgg.pth")
    torch.save(weights, folder / "weights.pt")
    paths = {
        "dists_backbone": str(folder / "vgg.pth"),
        "dists_weights": str(folder / "weights.pt"),
    }
    return LearnedMetricsSettings(**{**NONE, **paths}), network, weights


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


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def test_without_weights_no_metric_is_loaded():
    settings = LearnedMetricsSettings(**NONE)
    assert load_learned_metrics(settings) == {}
    assert score_features([PREDICTIONS], TARGETS, range(5), settings).empty


def test_lpips_equals_its_definition(alexnet):
    settings, network, heads = alexnet
    network = network.double()
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    expected = []
    for pair in zip(PREDICTIONS, TARGETS, strict=True):
        x, y = ((2 * tensor(side) - 1 - shift) / scale for side in pair)
        total, number = 0.0, 0
        for layer in network:
            x, y = layer(x), layer(y)
            if isinstance(layer, nn.ReLU):
                a, b = (functional.normalize(side, dim=1) for side in (x, y))
                head = heads[f"lin{number}.model.1.weight"].double()
                total += functional.conv2d((a - b) ** 2, head).mean().item()
                number += 1
        expected.append(total)
    found = load_learned_metrics(settings)["lpips"](PREDICTIONS, TARGETS)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_dists_equals_its_definition(vgg):
    settings, network, weights = vgg
    network = network.double()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    window = torch.from_numpy(np.outer(*[np.hanning(5)[1:-1]] * 2))
    window /= window.sum()

    def pool(x):
        planes = x.transpose(0, 1) ** 2
        return (
            functional.conv2d(planes, window[None, None], stride=2, padding=1)
            .add(1e-12)
            .sqrt()
            .transpose(0, 1)
        )

    def features(image):
        stages, x = [image], (image - mean) / deviation
        for layer in network:
            if isinstance(layer, nn.MaxPool2d):
                stages.append(x)
                x = pool(x)
            else:
                x = layer(x)
        return stages

    a, b = (features(tensor(side[0])) for side in (PREDICTIONS, TARGETS))
    alpha, beta = (weights[name].flatten().double() for name in ("alpha", "beta"))
    total, start = 0.0, 0
    for stage in zip(a, b, strict=True):
        sides = [x[0].flatten(1).detach().numpy() for x in stage]
        for channel, (p, q) in enumerate(zip(*sides, strict=True), start):
            texture = (2 * p.mean() * q.mean() + 1e-6) / (
                p.mean() ** 2 + q.mean() ** 2 + 1e-6
            )
            covariance = ((p - p.mean()) * (q - q.mean())).mean()
            structure = (2 * covariance + 1e-6) / (p.var() + q.var() + 1e-6)
            total += (alpha[channel] * texture + beta[channel] * structure).item()
        start += len(sides[0])
    expected = 1 - total / (alpha.sum() + beta.sum()).item()
    found = load_learned_metrics(settings)["dists"](PREDICTIONS[:1], TARGETS[:1])
    assert found[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("fixture", ["alexnet", "vgg"])
def test_equal_images_have_no_distance(fixture, request):
    settings = request.getfixturevalue(fixture)[0]
    (metric,) = load_learned_metrics(settings).values()
    np.testing.assert_allclose(metric(TARGETS, TARGETS), 0, atol=1e-5)


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


def test_backbone_without_heads_is_rejected(alexnet):
    backbone = alexnet[0].lpips_backbone
    with pytest.raises(ValueError, match="only together with lpips_heads"):
        LearnedMetricsSettings(**{**NONE, "lpips_backbone": backbone})


def test_missing_file_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        LearnedMetricsSettings(**{**NONE, "inception": str(tmp_path / "no.pt")})


def test_unexpected_weights_are_rejected(alexnet, tmp_path):
    heads = alexnet[0].lpips_heads
    settings = LearnedMetricsSettings(
        **{**NONE, "lpips_backbone": heads, "lpips_heads": heads}
    )
    with pytest.raises(InputError, match=r"lpips_backbone.*other weights"):
        load_learned_metrics(settings)


def test_broken_files_are_rejected(alexnet, tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    paths = {"lpips_backbone": str(broken), "lpips_heads": alexnet[0].lpips_heads}
    with pytest.raises(InputError, match="cannot read weights"):
        load_learned_metrics(LearnedMetricsSettings(**{**NONE, **paths}))
    settings = LearnedMetricsSettings(**{**NONE, "inception": str(broken)})
    with pytest.raises(InputError, match="not a TorchScript program"):
        score_features([PREDICTIONS], TARGETS, range(5), settings)
