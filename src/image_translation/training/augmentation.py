"""Random changes to pairs, so that no epoch sees the same pixels twice."""

import torch
from torch import Tensor
from torch.nn import functional as F


def augment(
    inputs: Tensor,
    targets: Tensor,
    *,
    jitter: float,
    flip: bool,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Enlarge, crop back at random and mirror at random; input and target alike.

    Isola et al. 2017, 6.2: 256 px are enlarged to 286, a jitter of 1.117, and cropped
    to 256. Every image draws its own offsets and its own flip.

    Args:
        inputs: N×3×S×S.
        targets: N×3×S×S.
        jitter: Factor of the enlargement; 1 for none.
        flip: Whether half of the images are mirrored left to right.
        generator: Source of all chance, on the CPU.

    Returns:
        Inputs and targets, N×3×S×S, in the range that came in.
    """
    pairs = torch.cat([inputs, targets], dim=1)  # (N, 6, S, S)
    pairs = _jitter(pairs, jitter, generator)
    if flip:
        pairs = _flip(pairs, generator)
    return pairs[:, :3], pairs[:, 3:]


def _jitter(images: Tensor, jitter: float, generator: torch.Generator) -> Tensor:
    count, _, size, _ = images.shape
    enlarged_size = round(size * jitter)
    if enlarged_size == size:
        return images
    enlarged = F.interpolate(
        images, size=(enlarged_size, enlarged_size), mode="bilinear"
    )
    offsets = torch.randint(
        enlarged_size - size + 1, (count, 2), generator=generator
    ).tolist()
    return torch.stack(
        [
            image[:, top : top + size, left : left + size]
            for image, (top, left) in zip(enlarged, offsets, strict=True)
        ]
    )


def _flip(images: Tensor, generator: torch.Generator) -> Tensor:
    is_flipped = torch.rand(len(images), generator=generator) < 0.5
    is_flipped = is_flipped.to(images.device)[:, None, None, None]
    return torch.where(is_flipped, images.flip(-1), images)
