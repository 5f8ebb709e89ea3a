"""Learned metrics with random weights in the formats of the published files."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data
from torch import nn
from torch.nn import functional

from image_translation.common.errors import InputError
from image_translation.metrics.feature_distances import read_encoder
from image_translation.metrics.learned import encoder_distance, load_learned_metrics
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


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def test_without_weights_no_metric_is_loaded():
    settings = LearnedMetricsSettings(**NONE)
    assert load_learned_metrics(settings) == {}


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


@pytest.fixture(scope="module")
def distance():
    settings = LearnedMetricsSettings(**{**NONE, "encoder": "lite0"})
    return load_learned_metrics(settings)["encoder_distance"]


def test_encoder_distance_equals_its_definition():
    encoder = read_encoder("lite0")
    a, b = (
        torch.from_numpy(side).permute(0, 3, 1, 2).float().repeat(1, 1, 2, 2) / 255
        for side in (PREDICTIONS[:2], TARGETS[:2])
    )
    with torch.no_grad():
        found = encoder_distance(encoder, a, b)
        for number in range(2):
            levels = []
            for x, y in zip(encoder(2 * a - 1), encoder(2 * b - 1), strict=True):
                first, second = (
                    side[number].numpy() / np.linalg.norm(side[number], axis=0)
                    for side in (x, y)
                )
                levels.append(np.mean(np.sum((first - second) ** 2, axis=0)))
            assert len(levels) == 5
            assert float(found[number]) == pytest.approx(np.mean(levels), rel=1e-4)


def test_encoder_distance_orders_distortions_as_people_do(distance):
    """More of a distortion is worse, and what people hardly see is least."""
    photo = data.astronaut()[:256, :256]

    def blurred(sigma):
        return gaussian_filter(photo.astype(float), (sigma, sigma, 0))

    def noisy(deviation):
        noise = np.random.default_rng(0).normal(0, deviation, photo.shape)
        return photo + noise

    def compressed(quality):
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    def measured(*versions):
        images = [np.clip(np.rint(v), 0, 255).astype(np.uint8) for v in versions]
        return distance(np.stack(images), np.stack([photo] * len(images)))

    for order in (
        measured(photo, *map(blurred, (0.5, 1, 2, 4))),
        measured(photo, *map(noisy, (4, 10, 25, 60))),
        measured(photo, *map(compressed, (95, 50, 15, 3))),
        # At about the same mean squared error, people see blur and noise, but hardly a
        # change of brightness.
        measured(photo, photo.astype(float) + 12, noisy(12)),
        measured(photo, photo.astype(float) + 12, blurred(1.6)),
    ):
        assert list(order) == sorted(order)
        assert order[0] == pytest.approx(0, abs=1e-6)
