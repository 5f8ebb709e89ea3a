"""One batch of training: losses, gradients and, at the end of a group, new weights."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from image_translation.training.devices import Device
from image_translation.training.objectives import (
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    focal_frequency_loss,
    l1_loss,
    ms_ssim_loss,
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
        The sums over the batch of the losses that ``objective.losses`` names, in its
        order, unweighted.
    """
    if not len(inputs):
        return _join_without_pairs(state, is_last)
    objective, discriminator = settings.objective, state.discriminator
    losses: dict[str, Tensor] = {}
    with device.autocast():
        predictions = state.generator(inputs)  # (N, 3, S, S) in [-1, 1]
    if discriminator is not None:
        discriminator.requires_grad_(True)
        with device.autocast():
            real = discriminator(inputs, targets)
            generated = discriminator(inputs, predictions.detach())
            judging = discriminator_loss(real, generated, objective.gan_loss)
        (share * judging).backward()
        losses["discriminator"] = judging
        if is_last:
            _update(discriminator, state.optimizers["discriminator"])
        discriminator.requires_grad_(False)  # the generator's step leaves it as it is
        losses |= _judge(discriminator, inputs, predictions, targets, settings, device)
    for name, compare in _COMPARISONS.items():
        if name in objective.losses:
            losses[name] = compare(predictions, targets)
    weighted = [
        getattr(objective, name) * loss
        for name, loss in losses.items()
        if name != "discriminator"
    ]
    (share * torch.stack(weighted).sum()).backward()
    if is_last:
        _update(state.generator, state.optimizers["generator"])
        if settings.training.ema is not None:
            state.update_average(settings.training.ema)
    return len(inputs) * torch.stack([losses[n] for n in objective.losses]).detach()


_COMPARISONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1_loss,
    "ms_ssim": ms_ssim_loss,
    "focal_frequency": focal_frequency_loss,
}
"""Losses of predictions and targets alone."""


def _judge(
    discriminator: nn.Module,
    inputs: Tensor,
    predictions: Tensor,
    targets: Tensor,
    settings: ModelSettings,
    device: Device,
) -> dict[str, Tensor]:
    """The generator's losses by its discriminator."""
    objective = settings.objective
    with device.autocast():
        generated = discriminator(inputs, predictions)
        losses = {"adversarial": adversarial_loss(generated, objective.gan_loss)}
        if objective.feature_matching:
            with torch.no_grad():
                real = discriminator(inputs, targets)
            losses["feature_matching"] = feature_matching_loss(generated, real)
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
