"""One batch of training: losses, gradients and, at the end of a group, new weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from image_translation.training.devices import Device
from image_translation.training.objectives import (
    adversarial_loss,
    discriminator_loss,
    l1_loss,
)
from image_translation.training.processes import sum_over_processes
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState


def train_batch(
    state: TrainingState,
    inputs: Tensor,
    targets: Tensor,
    settings: ModelSettings,
    device: Device,
    *,
    share: float = 1.0,
    is_last: bool = True,
) -> Tensor:
    """Train on one batch; the discriminator first, then the generator against it.

    Isola et al. 2017, 3.3. The gradients of a group of batches, and of all processes,
    are added up before the weights change. In a group of several batches the generator
    meets the discriminator as it was before the group, but for the last batch.

    Args:
        state: Networks and optimizers; changed.
        inputs: N×3×S×S in [-1, 1]; of several processes one may have none, N = 0.
        targets: N×3×S×S in [-1, 1].
        settings: Weights of the losses.
        device: Where and how exactly it is computed.
        share: This batch's share of the pairs of its group in all processes.
        is_last: Whether the group ends here.

    Returns:
        The sums over the batch of L1 and, with a discriminator, of the adversarial loss
        and the discriminator's, unweighted, (1,) or (3,).
    """
    if not len(inputs):
        return _join_without_pairs(state, is_last)
    discriminator = state.discriminator
    with device.autocast():
        predictions = state.generator(inputs)  # (N, 3, S, S) in [-1, 1]
    if discriminator is not None:
        discriminator.requires_grad_(True)
        with device.autocast():
            real = discriminator(inputs, targets)  # (N, 1, S/8-2, S/8-2), logits
            generated = discriminator(inputs, predictions.detach())
            judging = discriminator_loss(real, generated)
        (share * judging).backward()
        if is_last:
            _update(discriminator, state.optimizers["discriminator"])

    l1 = l1_loss(predictions, targets)
    loss = settings.objective.l1 * l1
    losses = [l1]
    if discriminator is not None:
        discriminator.requires_grad_(False)  # the generator's step leaves it as it is
        with device.autocast():
            fooling = adversarial_loss(discriminator(inputs, predictions), is_real=True)
        loss = loss + settings.objective.adversarial * fooling
        losses += [fooling, judging]
    (share * loss).backward()
    if is_last:
        _update(state.generator, state.optimizers["generator"])
        if settings.training.ema is not None:
            state.update_average(settings.training.ema)
    return len(inputs) * torch.stack(losses).detach()


def _join_without_pairs(state: TrainingState, is_last: bool) -> Tensor:
    """Take part in what the processes do together, with nothing to add."""
    if is_last:
        for name, network in (
            ("discriminator", state.discriminator),
            ("generator", state.generator),
        ):
            if network is not None:
                _update(network, state.optimizers[name])
    return torch.zeros_like(state.sums)


def _update(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    sum_over_processes(_gradients(network.parameters()))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The gradients, zeros where there are none yet."""
    found = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        found.append(parameter.grad)
    return found
