"""Random augmentation of pairs: jitter, flips, brightness and chroma."""

import torch
from torch import Tensor
from torch.nn import functional as F

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.training.plan import EpochPlan

WHITE = 255.0


def augment(
    images: Tensor,
    plan: EpochPlan,
    *,
    jitter: float,
    flip: bool,
    random_jitter: bool = False,
) -> Tensor:
    """Enlarge images, crop them at random to their size, and flip them at random.

    Isola et al. 2017, 6.2: 256 px are enlarged to 286, a jitter of 1.117, and cropped
    to 256. Every image has its own offsets and its own flip.

    Args:
        images: N×3×S×S, float.
        plan: Crop and flip of each of the N images; pass the same plan for inputs and
            targets.
        jitter: Factor of the enlargement; 1 for none.
        flip: Whether to mirror images left to right according to the plan.
        random_jitter: Whether each image has its own enlargement, up to ``jitter``
            (Szegedy et al. 2015, "Going deeper with convolutions", section 6, with
            square crops).

    Returns:
        N×3×S×S, in the range of the images.
    """
    if random_jitter:
        images = _zoom(images, plan.offsets, 1 + (jitter - 1) * plan.zooms)
    else:
        images = _jitter(images, plan.offsets, jitter)
    if flip:
        flips = plan.flips.to(images.device)[:, None, None, None]
        images = torch.where(flips, images.flip(-1), images)
    return images


def change_tone(
    images: Tensor, plan: EpochPlan, *, gamma: float, chroma: float
) -> Tensor:
    """Change brightness and chroma at random, so that pairs stay true.

    The luma Y becomes Y^g, and all channels move by the same amount, so the chroma stays;
    then the chroma is multiplied. Luma and colours of an image change independently of
    each other: a grey photograph remains the luma of its coloured target, up to colours
    that leave the gamut and are clipped.

    Args:
        images: N×3×S×S, float in [0, 255].
        plan: Changes of each of the N images; pass the same plan for inputs and targets.
        gamma: The largest g; the smallest is its inverse; 1 for none.
        chroma: The largest change of the chroma's factor, which is 1 for none.

    Returns:
        N×3×S×S, in [0, 255].
    """
    if gamma == 1 and chroma == 0:
        return images
    tones = plan.tones.to(images)[:, :, None, None, None]  # (N, 2, 1, 1, 1)
    weights = images.new_tensor(LUMA_WEIGHTS)[:, None, None]
    luma = (weights * images).sum(dim=1, keepdim=True).clamp(0, WHITE)
    changed = WHITE * (luma / WHITE) ** (gamma ** tones[:, 0])
    factors = 1 + chroma * tones[:, 1]
    return (changed + factors * (images - luma)).clamp(0, WHITE)


def _jitter(images: Tensor, offsets: Tensor, jitter: float) -> Tensor:
    size = images.shape[-1]
    enlarged_size = round(size * jitter)
    if enlarged_size == size:
        return images
    enlarged = F.interpolate(
        images, size=(enlarged_size, enlarged_size), mode="bilinear"
    )
    corners = (offsets * (enlarged_size - size + 1)).long().tolist()
    cropped = torch.empty_like(images)
    for number, (top, left) in enumerate(corners):
        cropped[number] = enlarged[number, :, top : top + size, left : left + size]
    return cropped


def _zoom(images: Tensor, offsets: Tensor, factors: Tensor) -> Tensor:
    """Crop a part of each image, 1 / factor of its size, and enlarge it to that size."""
    parts = (1 / factors)[:, None]  # (N, 1)
    shifts = (2 * offsets - 1) * (1 - parts)  # of the centres, vertical and horizontal
    affine = torch.zeros(len(images), 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = parts[:, 0]
    affine[:, 0, 2], affine[:, 1, 2] = shifts[:, 1], shifts[:, 0]
    grid = F.affine_grid(affine.to(images), list(images.shape), align_corners=False)
    cropped = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return cropped.contiguous(memory_format=torch.channels_last)
