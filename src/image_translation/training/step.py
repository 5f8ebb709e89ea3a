"""One batch of training: losses, gradients and, at the end of a group, new weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from image_translation.training.devices import Device
from image_translation.training.losses import (
    DISCRIMINATOR,
    LOSSES,
    Batch,
    discriminator_loss,
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
    are summed before the weights change. In a group of several batches the generator
    meets the discriminator from before the group, except in the last batch.

    Args:
        state: Networks and optimizers; changed.
        inputs: N×3×S×S in [-1, 1]; one of several processes may have none, N = 0.
        targets: N×3×S×S in [-1, 1].
        settings: Weights of the losses.
        device: Device and precision.
        share: Pairs of this batch, relative to all pairs of its group in all processes.
        is_last: Whether the batch is the last of its group.

    Returns:
        The sums over the batch of the losses in ``objective.logged_losses``, in its
        order, unweighted.
    """
    if not len(inputs):
        return _join_without_pairs(state, is_last)
    objective = settings.objective
    with device.autocast():
        predictions = state.generator(inputs)  # (N, 3, S, S) in [-1, 1]
    batch = Batch(
        inputs, targets, predictions, state.discriminator, objective.gan_loss, device
    )
    losses = {}
    if state.discriminator is not None:
        losses[DISCRIMINATOR] = discriminator_step(
            state, batch, share=share, is_last=is_last
        )
    losses |= generator_step(state, batch, settings, share=share, is_last=is_last)
    names = objective.logged_losses
    return len(inputs) * torch.stack([losses[name] for name in names]).detach()


def discriminator_step(
    state: TrainingState, batch: Batch, *, share: float, is_last: bool
) -> Tensor:
    """Train the discriminator to classify real and generated pairs.

    Returns:
        Its loss. Its weights are left without gradients, for the generator's step.
    """
    assert state.discriminator is not None
    state.discriminator.requires_grad_(True)
    with batch.device.autocast():  # once: weights are converted once for both
        real = batch.features(batch.targets)
        generated = batch.features(batch.predictions.detach())
    loss = discriminator_loss(real, generated, batch.gan_loss)
    (share * loss).backward()
    if is_last:
        _update(state.discriminator, state.optimizers["discriminator"])
    state.discriminator.requires_grad_(False)
    return loss


def generator_step(
    state: TrainingState,
    batch: Batch,
    settings: ModelSettings,
    *,
    share: float,
    is_last: bool,
) -> dict[str, Tensor]:
    """Train the generator to minimize the weighted sum of its losses.

    Returns:
        Its losses by name.
    """
    weights = settings.objective.weights
    names = [name for name, loss in LOSSES.items() if loss.is_always_logged]
    losses = {n: LOSSES[n].function(batch) for n in dict.fromkeys([*weights, *names])}
    total = torch.stack([weights[name] * losses[name] for name in weights]).sum()
    (share * total).backward()
    if is_last:
        _update(state.generator, state.optimizers["generator"])
        if settings.training.ema is not None:
            state.update_average(settings.training.ema)
    return losses


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
