"""Random augmentation of pairs: jitter and flips."""

import torch
from torch import Tensor
from torch.nn import functional as F

from image_translation.training.plan import EpochPlan


def augment(images: Tensor, plan: EpochPlan, *, jitter: float, flip: bool) -> Tensor:
    """Enlarge images, crop them at random to their size, and flip them at random.

    Isola et al. 2017, 6.2: 256 px are enlarged to 286, a jitter of 1.117, and cropped
    to 256. Every image has its own offsets and its own flip.

    Args:
        images: N×3×S×S, float.
        plan: Crop and flip of each of the N images; pass the same plan for inputs and
            targets.
        jitter: Factor of the enlargement; 1 for none.
        flip: Whether to mirror images left to right according to the plan.

    Returns:
        N×3×S×S, in the range of the images.
    """
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
