"""Metrics based on trained networks: LPIPS, DISTS, FID and KID.

LPIPS and DISTS score single predictions, FID and KID score the set. The user supplies
the weights; nothing is downloaded. Weight files are loaded as tensors only. The Inception
network is a TorchScript program, which can execute arbitrary code: use a file from a
trusted source.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from image_translation.common.errors import InputError
from image_translation.metrics.chunks import Images, Scores
from image_translation.metrics.realism import (
    SET_FLOOR_COLUMNS,
    SET_SCORE_COLUMNS,
    floor_rows,
    group_codes,
    score_rows,
)
from image_translation.metrics.set_distances import draw_halves
from image_translation.metrics.settings import LearnedMetricsSettings

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 16
"""Images per batch."""

FLOOR_SPLITS = 5
"""Number of random splits into halves over which the floors of FID and KID are averaged."""

Doubles = NDArray[np.float64]
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
        ``lpips`` and ``dists``, as far as configured, each a function
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


def feature_contributions(
    predictions: Iterable[Images],
    targets: Images,
    groups: ArrayLike,
    settings: LearnedMetricsSettings,
) -> pd.DataFrame:
    """Contribution of each image to FID and KID, like `metrics.set_contributions`.

    KID excludes all pairs of images of the same group, including a prediction with its
    own target, so that its expectation is 0 for sets of one distribution. FID follows
    the published definition and is biased upwards for finite sets; with fewer images
    than features it cannot be corrected. The contributions to FID are exact for the
    value and of first order for its standard error.

    Args:
        predictions: Batches, uint8, n×H×W×3, N images in total.
        targets: uint8, N×H×W×3.
        groups: Group of each image, N values.
        settings: Path of the network, ``inception-2015-12-05.pt`` as published by NVIDIA
            with StyleGAN: a TorchScript program that takes uint8, N×3×H×W, and
            ``return_features=True``.

    Returns:
        One row per image with the columns ``fid, kid``; no columns without a network.
        KID is NaN for fewer than two groups, both are NaN for fewer than two images.

    Raises:
        InputError: The file is not a TorchScript program.
    """
    if settings.inception is None:
        return pd.DataFrame(index=range(len(targets)))
    codes = group_codes(groups, targets)
    if not len(codes):
        return pd.DataFrame(columns=["fid", "kid"], dtype=np.float64)
    features = _features_of_both(predictions, targets, settings.inception)
    table = pd.DataFrame(_by_group(*features, codes))
    return table.loc[codes].reset_index(drop=True)


def score_features(
    predictions: Iterable[Images],
    targets: Images,
    groups: ArrayLike,
    settings: LearnedMetricsSettings,
) -> pd.DataFrame:
    """FID and KID between the set of predictions and the set of targets.

    Args:
        predictions: As for `feature_contributions`.
        targets: uint8, N×H×W×3.
        groups: Group of each image, N values.
        settings: Path of the network.

    Returns:
        One row per metric, with the columns of `metrics.score_sets`; no rows without a
        network or without images. The interval of FID does not account for its bias.

    Raises:
        InputError: The file is not a TorchScript program.
    """
    codes = group_codes(groups, targets)
    if settings.inception is None or not len(codes):
        return pd.DataFrame(columns=SET_SCORE_COLUMNS)
    predicted, wanted = _features_of_both(predictions, targets, settings.inception)
    return score_rows(
        _by_group(predicted, wanted, codes), _floors(wanted, codes), codes
    )


def feature_floor(
    targets: Images, groups: ArrayLike, settings: LearnedMetricsSettings
) -> pd.DataFrame:
    """FID and KID between halves of the targets, like `metrics.set_floor`.

    Args:
        targets: uint8, N×H×W×3.
        groups: Group of each image, N values.
        settings: Path of the network.

    Returns:
        One row per metric, with the columns of `metrics.set_floor`; no rows without a
        network or without images.

    Raises:
        InputError: The file is not a TorchScript program.
    """
    codes = group_codes(groups, targets)
    if settings.inception is None or not len(codes):
        return pd.DataFrame(columns=SET_FLOOR_COLUMNS)
    network = _read_program(settings.inception)
    return floor_rows(_floors(_inception_features(network, targets), codes), codes)


def fid(predicted: Doubles, wanted: Doubles) -> float:
    """Fréchet distance between normal distributions with the moments of the features.

    Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a
    local Nash equilibrium", equation 6.

    Args:
        predicted: Features of predictions, N×D.
        wanted: Features of targets, M×D.
    """
    difference = predicted.mean(axis=0) - wanted.mean(axis=0)
    first, second = _deviations(predicted), _deviations(wanted)
    # The trace of the root of the product of covariances is the sum of singular values.
    overlap = np.linalg.svd(_overlap(first, second)[1], compute_uv=False).sum()
    return float(
        difference @ difference + (first**2).sum() + (second**2).sum() - 2 * overlap
    )


def fid_contributions(predicted: Doubles, wanted: Doubles) -> Doubles:
    """Contribution of each pair of images to `fid`; the mean is the distance.

    These are the derivatives of the distance with respect to the weights of the images.
    With A and B the scaled deviations of both sets from their means and A·Bᵀ = U·S·Vᵀ,
    the derivatives of the trace of the root are the diagonals of U·S·Uᵀ and V·S·Vᵀ.

    Args:
        predicted: Features of predictions, N×D.
        wanted: Features of their targets, N×D.

    Returns:
        N values.
    """
    images = len(wanted)
    shift = predicted.mean(axis=0) - wanted.mean(axis=0)
    first, second = _deviations(predicted), _deviations(wanted)
    (ours, theirs), overlap = _overlap(first, second)
    left, sizes, right = np.linalg.svd(overlap)
    traces = (first**2).sum(axis=1) + (second**2).sum(axis=1)
    traces -= (ours @ left) ** 2 @ sizes + (theirs @ right.T) ** 2 @ sizes
    moves = 2 * (predicted - wanted) @ shift
    return images * traces + moves - shift @ shift


def kid(predicted: Doubles, wanted: Doubles) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³.

    Bińkowski, Sutherland, Arbel & Gretton (2018), "Demystifying MMD GANs", section 4,
    over all images in one block, for two unpaired sets.

    Args:
        predicted: Features of predictions, N×D.
        wanted: Features of targets, M×D.
    """
    within = 0.0
    for features in (predicted, wanted):
        matrix, images = _kernel(features, features), len(features)
        within += (matrix.sum() - np.trace(matrix)) / (images * (images - 1))
    return float(within - 2 * _kernel(predicted, wanted).mean())


def kid_contributions(
    predicted: Doubles, wanted: Doubles, codes: NDArray[np.intp]
) -> Doubles:
    """Contribution of each group to KID between paired sets.

    KID is averaged over pairs of images of different groups, because a prediction and
    the targets of its group are not independent. The contributions are the pseudo-values
    of the delete-a-group jackknife for unequal groups (Busing, Meijer & van der Leeden
    1999, "Delete-m jackknife for unequal m", equations 4 to 6), shifted so that their
    mean over images is the value.

    Args:
        predicted: Features of predictions, N×D.
        wanted: Features of their targets, N×D.
        codes: Group index of each image, N values.

    Returns:
        G values; NaN for fewer than two groups.
    """
    counts = np.bincount(codes).astype(np.float64)
    if len(counts) < 2:
        return np.full(len(counts), np.nan)
    across = _kernel(predicted, wanted)
    pairs = _kernel(predicted, predicted) + _kernel(wanted, wanted) - across - across.T
    sums = np.zeros((len(counts), len(pairs)))
    np.add.at(sums, codes, pairs)
    by_group = np.zeros((len(counts), len(counts)))
    np.add.at(by_group.T, codes, sums.T)
    np.fill_diagonal(by_group, 0)
    images, squares = counts.sum(), (counts**2).sum()
    total, of_group = by_group.sum(), by_group.sum(axis=1)
    value = total / (images**2 - squares)
    if len(counts) == 2:
        return np.full(2, value)  # without one of them no pairs of groups are left
    without = (total - 2 * of_group) / ((images - counts) ** 2 - (squares - counts**2))
    ratio = images / counts
    pseudo = ratio * value - (ratio - 1) * without
    return pseudo - (counts / images) @ pseudo + value


def _features_of_both(
    predictions: Iterable[Images], targets: Images, path: str
) -> tuple[Doubles, Doubles]:
    network = _read_program(path)
    predicted = np.concatenate([_inception_features(network, p) for p in predictions])
    return predicted, _inception_features(network, targets)


def _by_group(
    predicted: Doubles, wanted: Doubles, codes: NDArray[np.intp]
) -> dict[str, Doubles]:
    """Contributions of the groups by metric."""
    counts = np.bincount(codes)
    if len(codes) < 2:  # one image has no covariance
        return dict.fromkeys(("fid", "kid"), np.full(len(counts), np.nan))
    by_image = fid_contributions(predicted, wanted)
    return {
        "fid": np.bincount(codes, by_image) / counts,
        "kid": kid_contributions(predicted, wanted, codes),
    }


def _floors(wanted: Doubles, codes: NDArray[np.intp]) -> dict[str, float]:
    """FID and KID between random halves of the targets, averaged over the splits."""
    values = []
    for row in draw_halves(np.bincount(codes))[:FLOOR_SPLITS]:
        first, second = wanted[row[codes] > 0], wanted[row[codes] < 0]
        if min(len(first), len(second)) > 1:
            values.append((fid(first, second), kid(first, second)))
    means = np.mean(values, axis=0) if values else (np.nan, np.nan)
    return dict(zip(("fid", "kid"), map(float, means), strict=True))


def _deviations(features: Doubles) -> Doubles:
    """Deviations X from the mean, scaled so that XᵀX is the covariance (N - 1)."""
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)


def _overlap(
    first: Doubles, second: Doubles
) -> tuple[tuple[Doubles, Doubles], Doubles]:
    """Factorise first · secondᵀ into two bases and a core matrix of at most D×D."""
    (ours, a), (theirs, b) = np.linalg.qr(first), np.linalg.qr(second)
    return (ours, theirs), a @ b.T


def _kernel(x: Doubles, y: Doubles) -> Doubles:
    return (x @ y.T / x.shape[1] + 1) ** 3


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
                torch.from_numpy(np.ascontiguousarray(side[start : start + BATCH]))
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


def _inception_features(network: Any, images: Images) -> Doubles:
    import torch

    features = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            chunk = np.ascontiguousarray(images[start : start + BATCH])
            pixels = torch.from_numpy(chunk).permute(0, 3, 1, 2)
            features.append(network(pixels, return_features=True).double().numpy())
    return np.concatenate(features)


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


def _read_program(path: str) -> Any:
    import torch

    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"learned_metrics.inception: {path} is not a TorchScript program ({error})"
        ) from error
