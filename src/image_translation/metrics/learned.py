"""Learned metrics: what trained networks make of images, for users who have the weights.

Nothing is downloaded. LPIPS and DISTS judge single predictions, FID and KID the set.
Weights are read as tensors only; the Inception network is a TorchScript program, which
runs what its file says: take it from a place that you trust.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from image_translation.errors import InputError
from image_translation.metrics.chunks import Images, Scores
from image_translation.metrics.held_out import draw_halves
from image_translation.metrics.realism import (
    SET_FLOOR_COLUMNS,
    SET_SCORE_COLUMNS,
    floor_rows,
    group_codes,
    score_rows,
)
from image_translation.metrics.settings import LearnedMetricsSettings

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 16
"""Images at once."""

FLOOR_SPLITS = 5
"""Random halves that the floors of FID and KID are averaged over."""

Doubles = NDArray[np.float64]
Weights = Mapping[str, Any]
"""Tensors by name."""

# Of torchvision's AlexNet: name, stride, padding, whether a maximum of 3×3 comes before.
_ALEXNET = (
    ("features.0", 4, 2, False),
    ("features.3", 1, 2, True),
    ("features.6", 1, 1, True),
    ("features.8", 1, 1, False),
    ("features.10", 1, 1, False),
)
_LPIPS_SHIFT = (-0.030, -0.088, -0.188)
_LPIPS_SCALE = (0.458, 0.448, 0.450)

# Of torchvision's VGG16: the convolutions of its five stages.
_VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_DISTS_C = 1e-6


def load_learned_metrics(
    settings: LearnedMetricsSettings,
) -> dict[str, Callable[[Images, Images], Scores]]:
    """The metrics of single images that there are weights for.

    Args:
        settings: Where the weights are.

    Returns:
        ``lpips`` and ``dists``, as far as there are weights, each
        ``(predictions, targets) -> N values`` for uint8, N×H×W×3.

    Raises:
        InputError: A file does not hold what it should.
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
    """Learned perceptual distance, version 0.1 on AlexNet.

    Zhang, Isola, Efros, Shechtman & Wang (2018), "The unreasonable effectiveness of deep
    features as a perceptual metric", equation 1: squared differences of features of unit
    length, weighted by channel, averaged over places, summed over layers.

    Args:
        backbone: State of torchvision's AlexNet.
        heads: The published linear weights (``alex.pth``).
        a: N×3×H×W in [0, 1].
        b: N×3×H×W in [0, 1].

    Returns:
        N values, 0 for equal images.
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
    texture similarity", equations 4 to 6, on VGG16 with l2 pooling.

    Args:
        backbone: State of torchvision's VGG16.
        weights: The published ``alpha`` (texture) and ``beta`` (structure), 1×1475×1×1.
        a: N×3×H×W in [0, 1].
        b: N×3×H×W in [0, 1].

    Returns:
        N values, 0 for equal images.
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
    """What every image contributes to FID and KID, as `metrics.set_contributions`.

    KID leaves out all pairs of images of one group, also of a prediction with its own
    target, so that it is 0 on average for sets of one distribution. FID is the published
    one and stays biased upwards by the size of the sets: with fewer images than features
    it cannot be corrected. Its contributions are exact for the value and of first order
    for the error.

    Args:
        predictions: Batches, uint8, n×H×W×3, together N images.
        targets: uint8, N×H×W×3.
        groups: The group of each image.
        settings: Where the network is, ``inception-2015-12-05.pt`` as NVIDIA gives it
            out with StyleGAN: a TorchScript program that takes uint8, N×3×H×W, and
            ``return_features=True``.

    Returns:
        One row an image with the columns ``fid, kid``; no columns without a network.
        KID is NaN for fewer than two groups, both for fewer than two images.

    Raises:
        InputError: The file is no such program.
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
    """FID and KID of the set of predictions against that of targets.

    Args:
        predictions: As for `feature_contributions`.
        targets: uint8, N×H×W×3.
        groups: The group of each image.
        settings: Where the network is.

    Returns:
        One row a metric, as `metrics.score_sets`; none without a network or images.
        The interval of FID is that of a biased value.

    Raises:
        InputError: The file is no such program.
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
    """FID and KID between halves of the targets, as `metrics.set_floor`.

    Args:
        targets: uint8, N×H×W×3.
        groups: The group of each image.
        settings: Where the network is.

    Returns:
        One row a metric; none without a network or images.

    Raises:
        InputError: The file is no such program.
    """
    codes = group_codes(groups, targets)
    if settings.inception is None or not len(codes):
        return pd.DataFrame(columns=SET_FLOOR_COLUMNS)
    network = _read_program(settings.inception)
    return floor_rows(_floors(_inception_features(network, targets), codes), codes)


def fid(predicted: Doubles, wanted: Doubles) -> float:
    """Fréchet distance between normal distributions with the features' moments.

    Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a
    local Nash equilibrium", equation 6.

    Args:
        predicted: N×D features.
        wanted: M×D features.
    """
    difference = predicted.mean(axis=0) - wanted.mean(axis=0)
    first, second = _deviations(predicted), _deviations(wanted)
    # the trace of the root of a product of covariances is this sum of singular values
    overlap = np.linalg.svd(_overlap(first, second)[1], compute_uv=False).sum()
    return float(
        difference @ difference + (first**2).sum() + (second**2).sum() - 2 * overlap
    )


def fid_contributions(predicted: Doubles, wanted: Doubles) -> Doubles:
    """What each pair of images contributes to `fid`; their mean is the distance.

    The derivatives of the distance with respect to the images' weights. With A and B the
    deviations of both sets and A·Bᵀ = U·S·Vᵀ, those of the trace of the root are the
    diagonals of U·S·Uᵀ and V·S·Vᵀ.

    Args:
        predicted: N×D features.
        wanted: N×D features.

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
    over all images at once, of two sets that are not paired.

    Args:
        predicted: N×D features.
        wanted: M×D features.
    """
    within = 0.0
    for features in (predicted, wanted):
        matrix, images = _kernel(features, features), len(features)
        within += (matrix.sum() - np.trace(matrix)) / (images * (images - 1))
    return float(within - 2 * _kernel(predicted, wanted).mean())


def kid_contributions(
    predicted: Doubles, wanted: Doubles, codes: NDArray[np.intp]
) -> Doubles:
    """What each group contributes to KID between sets that are paired.

    The mean over all pairs of images of two different groups, as a prediction and the
    target of its group are not independent. The contributions are the pseudo-values of
    the delete-a-group jackknife for unequal groups (Busing, Meijer & van der Leeden
    1999, "Delete-m jackknife for unequal m", equations 4 to 6), shifted so that their
    mean over images is the value.

    Args:
        predicted: N×D features.
        wanted: N×D features.
        codes: The number of each image's group.

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
        return np.full(2, value)  # a single other group has no pairs to leave
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
    """Metric → contributions of the groups."""
    counts = np.bincount(codes)
    if len(codes) < 2:  # one image has no covariance
        return dict.fromkeys(("fid", "kid"), np.full(len(counts), np.nan))
    by_image = fid_contributions(predicted, wanted)
    return {
        "fid": np.bincount(codes, by_image) / counts,
        "kid": kid_contributions(predicted, wanted, codes),
    }


def _floors(wanted: Doubles, codes: NDArray[np.intp]) -> dict[str, float]:
    """FID and KID between halves of the targets."""
    values = []
    for row in draw_halves(np.bincount(codes))[:FLOOR_SPLITS]:
        first, second = wanted[row[codes] > 0], wanted[row[codes] < 0]
        if min(len(first), len(second)) > 1:
            values.append((fid(first, second), kid(first, second)))
    means = np.mean(values, axis=0) if values else (np.nan, np.nan)
    return dict(zip(("fid", "kid"), map(float, means), strict=True))


def _deviations(features: Doubles) -> Doubles:
    """From the mean, scaled so that XᵀX is the covariance (N - 1)."""
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)


def _overlap(
    first: Doubles, second: Doubles
) -> tuple[tuple[Doubles, Doubles], Doubles]:
    """First · secondᵀ as bases and what stands between them, at most D×D."""
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
    """After each of the five rectified convolutions."""
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
    """The images themselves, and the features after each of the five stages."""
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
    """Root of the Hann-weighted mean square of 3×3, every other place."""
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
    """Tensors of a file that must hold a certain one."""
    import pickle

    import torch

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"learned_metrics.{parameter}: {path} cannot be read as weights ({error})"
        ) from error
    if not isinstance(weights, Mapping) or needed not in weights:
        raise InputError(
            f"learned_metrics.{parameter}: {path} holds other weights: {needed} is "
            "not among them"
        )
    return weights


def _read_program(path: str) -> Any:
    import torch

    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"learned_metrics.inception: {path} is no TorchScript program ({error})"
        ) from error
