"""What networks are trained for (Isola et al. 2017, section 3.1)."""

from torch import Tensor
from torch.nn import functional as F


def adversarial_loss(logits: Tensor, *, is_real: bool) -> Tensor:
    """Cross-entropy of a discriminator's logits against one answer for every patch.

    Args:
        logits: Of any shape; positive means real.
        is_real: The answer: real is 1, generated is 0.

    Returns:
        The mean over all patches, in nats; ln 2 ≈ 0.693 for an undecided judge.
    """
    logits = logits.float()
    answer = logits.new_full(logits.shape, float(is_real))
    return F.binary_cross_entropy_with_logits(logits, answer)


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """What the discriminator minimizes: telling real pairs from generated ones.

    The mean of both terms, not their sum: the paper halves the objective while
    optimizing the discriminator, to slow it down (section 3.3).

    Args:
        real: Logits of real pairs.
        generated: Logits of generated pairs.
    """
    return 0.5 * (
        adversarial_loss(real, is_real=True)
        + adversarial_loss(generated, is_real=False)
    )


def l1_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference, of images in [-1, 1]."""
    return F.l1_loss(predictions.float(), targets)
