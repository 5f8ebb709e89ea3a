"""Random augmentation of pairs: jitter and flips."""

import torch
from torch import Tensor
from torch.nn import functional as F

from image_translation.training.plan import EpochPlan


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
