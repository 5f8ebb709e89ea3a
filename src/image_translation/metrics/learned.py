"""Metrics of single images based on trained networks: LPIPS, DISTS, encoder distance.

For LPIPS and DISTS the user supplies the weights; nothing is downloaded. Weight files are
loaded as tensors only. `metrics.feature_distances` compares sets.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from image_translation.common.errors import InputError
from image_translation.metrics.chunks import Images, Scores
from image_translation.metrics.feature_distances import enlarge, read_encoder
from image_translation.metrics.settings import LearnedMetricsSettings

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 16
"""Images per batch."""

Weights = Mapping[str, Any]
"""Tensors by name."""

# torchvision's AlexNet: name, stride, padding, whether 3×3 max pooling precedes it.
_ALEXNET = (
    ("features.0", 4, 2, False),
    ("features.3", 1, 2, True),
    ("features.6", 1, 1, True),
    ("features.8", 1, 1, False),
    ("features.10", 1, 1, False),
)
_LPIPS_SHIFT = (-0.030, -0.088, -0.188)
_LPIPS_SCALE = (0.458, 0.448, 0.450)

# torchvision's VGG16: the convolutions of its five stages.
_VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_DISTS_C = 1e-6


def load_learned_metrics(
    settings: LearnedMetricsSettings,
) -> dict[str, Callable[[Images, Images], Scores]]:
    """Load the metrics of single images whose weights are configured.

    Args:
        settings: Paths of the weights.

    Returns:
        ``lpips``, ``dists``, ``encoder_distance``, as far as configured, each a function
        ``(predictions, targets) -> N values`` for uint8, N×H×W×3.

    Raises:
        InputError: A file does not contain the expected weights.
    """
    found: dict[str, Callable[[Images, Images], Scores]] = {}
    if settings.lpips_backbone and settings.lpips_heads:
        backbone = _read(settings.lpips_backbone, "lpips_backbone", "features.10.bias")
        heads = _read(settings.lpips_heads, "lpips_heads", "lin4.model.1.weight")
        found["lpips"] = partial(_score, partial(lpips, backbone, heads))
    if settings.dists_backbone and settings.dists_weights:
        backbone = _read(settings.dists_backbone, "dists_backbone", "features.28.bias")
        weights = _read(settings.dists_weights, "dists_weights", "alpha")
        found["dists"] = partial(_score, partial(dists, backbone, weights))
    if settings.encoder:
        encoder = read_encoder(settings.encoder)
        found["encoder_distance"] = partial(_score, partial(encoder_distance, encoder))
    return found


def lpips(backbone: Weights, heads: Weights, a: "Tensor", b: "Tensor") -> "Tensor":
    """Learned perceptual image patch similarity, version 0.1 with AlexNet.

    Zhang, Isola, Efros, Shechtman & Wang (2018), "The unreasonable effectiveness of deep
    features as a perceptual metric", equation 1: squared differences between features
    normalised to unit length, weighted by channel, averaged over positions and summed
    over layers.

    Args:
        backbone: State dict of torchvision's AlexNet.
        heads: Published linear weights (``alex.pth``).
        a: float32, N×3×H×W in [0, 1].
        b: float32, N×3×H×W in [0, 1].

    Returns:
        N values, at least 0; 0 for equal images.
    """
    import torch

    total = torch.zeros(len(a))
    layers = zip(
        _alexnet_features(backbone, a), _alexnet_features(backbone, b), strict=True
    )
    for number, sides in enumerate(layers):
        first, second = (x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in sides)
        weights = heads[f"lin{number}.model.1.weight"].view(1, -1, 1, 1)
        total += (weights * (first - second) ** 2).sum(1).mean((1, 2))
    return total


def dists(backbone: Weights, weights: Weights, a: "Tensor", b: "Tensor") -> "Tensor":
    """Deep image structure and texture similarity.

    Ding, Ma, Wang & Simoncelli (2020), "Image quality assessment: unifying structure and
    texture similarity", equations 4 to 6, with VGG16 and l2 pooling.

    Args:
        backbone: State dict of torchvision's VGG16.
        weights: Published ``alpha`` (texture) and ``beta`` (structure), 1×1475×1×1.
        a: float32, N×3×H×W in [0, 1].
        b: float32, N×3×H×W in [0, 1].

    Returns:
        N values; 0 for equal images.
    """
    import torch

    alpha, beta = (weights[name].flatten() for name in ("alpha", "beta"))
    scale = alpha.sum() + beta.sum()
    similarity, start = torch.zeros(len(a)), 0
    layers = zip(_vgg_features(backbone, a), _vgg_features(backbone, b), strict=True)
    for x, y in layers:
        stop = start + x.shape[1]
        mean_x, mean_y = x.mean((2, 3)), y.mean((2, 3))
        variances = x.var((2, 3), correction=0) + y.var((2, 3), correction=0)
        covariance = (x * y).mean((2, 3)) - mean_x * mean_y
        texture = (2 * mean_x * mean_y + _DISTS_C) / (mean_x**2 + mean_y**2 + _DISTS_C)
        structure = (2 * covariance + _DISTS_C) / (variances + _DISTS_C)
        similarity += texture @ alpha[start:stop] + structure @ beta[start:stop]
        start = stop
    return 1 - similarity / scale


def encoder_distance(
    encoder: Callable[["Tensor"], list["Tensor"]], a: "Tensor", b: "Tensor"
) -> "Tensor":
    """Distance between the features of a network that was trained on ImageNet.

    Like LPIPS without linear weights (Zhang et al. 2018, the networks without training on
    human judgements): the squared difference of features normalised to unit length, which
    is between 0 and 4, averaged over positions and over the levels of the network.

    Args:
        encoder: From `read_encoder`.
        a: float32, N×3×H×W in [0, 1].
        b: float32, N×3×H×W in [0, 1].

    Returns:
        N values, at least 0; 0 for equal images.
    """
    import torch
    from torch.nn.functional import normalize

    levels = [
        (normalize(first) - normalize(second)).square().sum(1).mean((1, 2))
        for first, second in zip(
            encoder(enlarge(2 * a - 1)), encoder(enlarge(2 * b - 1)), strict=True
        )
    ]
    return torch.stack(levels).mean(0)


def _score(
    function: Callable[["Tensor", "Tensor"], "Tensor"],
    predictions: Images,
    targets: Images,
) -> Scores:
    import torch

    values = [np.empty(0)]
    with torch.inference_mode():
        for start in range(0, len(targets), BATCH):
            sides = [
                torch.from_numpy(np.array(side[start : start + BATCH]))
                for side in (predictions, targets)
            ]
            a, b = (side.permute(0, 3, 1, 2).float() / 255 for side in sides)
            values.append(function(a, b).double().numpy())
    return np.concatenate(values)


def _alexnet_features(weights: Weights, images: "Tensor") -> list["Tensor"]:
    """Features after each of the five convolutions with ReLU."""
    import torch
    from torch.nn import functional

    shift, scale = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (_LPIPS_SHIFT, _LPIPS_SCALE)
    )
    x = (2 * images - 1 - shift) / scale
    features = []
    for name, stride, padding, is_pooled in _ALEXNET:
        x = functional.max_pool2d(x, 3, 2) if is_pooled else x
        kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = functional.conv2d(x, kernel, bias, stride, padding).relu()
        features.append(x)
    return features


def _vgg_features(weights: Weights, images: "Tensor") -> list["Tensor"]:
    """The images, followed by the features after each of the five stages."""
    import torch
    from torch.nn import functional

    mean, deviation = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (_IMAGENET_MEAN, _IMAGENET_DEVIATION)
    )
    x = (images - mean) / deviation
    features = [images]
    for number, stage in enumerate(_VGG16):
        x = _l2_pool(x) if number else x
        for layer in stage:
            name = f"features.{layer}"
            kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            x = functional.conv2d(x, kernel, bias, padding=1).relu()
        features.append(x)
    return features


def _l2_pool(x: "Tensor") -> "Tensor":
    """Root of the Hann-weighted mean square of 3×3 positions, with stride 2."""
    import torch
    from torch.nn import functional

    window = torch.hann_window(5, periodic=False)[1:-1]
    kernel = torch.outer(window, window)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    squares = functional.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1])
    return (squares + 1e-12).sqrt()


def _read(path: str, parameter: str, needed: str) -> Weights:
    """Read tensors from a file that must contain the one called ``needed``."""
    import pickle

    import torch

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"learned_metrics.{parameter}: cannot read weights from {path} ({error})"
        ) from error
    if not isinstance(weights, Mapping) or needed not in weights:
        raise InputError(
            f"learned_metrics.{parameter}: {path} contains other weights: it lacks "
            f"{needed}"
        )
    return weights
