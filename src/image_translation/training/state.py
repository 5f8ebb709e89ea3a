"""Everything that changes while a model is trained."""

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from image_translation.common.foreign_internals import run_uncompiled_on_errors
from image_translation.networks import MultiScalePatchGAN, build_network
from image_translation.training.averaging import update_average
from image_translation.training.devices import Precision
from image_translation.training.processes import distribute
from image_translation.training.settings import (
    CLASSES,
    ModelSettings,
    TrainingSettings,
)
from image_translation.training.warm_start import load_encoder

if TYPE_CHECKING:
    from image_translation.networks.outputs import ColourClasses

BETA2 = 0.999
"""Adam's second decay rate, Isola et al. 2017, 3.3."""

_PLAIN = (
    "precision",
    "history",
    "best_epoch",
    "batches",
    "seen",
    "seconds",
    "averaged",
)
"""Attributes that a checkpoint holds as they are."""


@dataclass
class TrainingState:
    """Networks, optimizers and progress.

    Attributes:
        generator: Translates images.
        discriminator: None if the objective has no adversarial loss.
        parallel: The networks that are trained, by name, as all processes share them.
        optimizers: Of the networks that are trained, by name; none for a baseline.
        average: The generator with moving averages of its weights, or None.
        precision: In which training started, and continues after an interruption.
        classes: The generator's output layer, if it has colour classes.
        history: One row for each finished epoch.
        best_epoch: The epoch whose weights are saved; None before the first.
        batches: Finished batches of the current epoch.
        sums: Sums of the losses over the pairs of the current epoch, on the device:
            reading them makes the host wait for the device.
        seen: Pairs of the current epoch that were trained on.
        seconds: Time spent on the current epoch.
        averaged: Steps in `average`.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    parallel: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    average: nn.Module | None = None
    precision: Precision = "fp32"
    classes: "ColourClasses | None" = None
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    batches: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(1))
    seen: int = 0
    seconds: float = 0.0
    averaged: int = 0

    @classmethod
    def start(
        cls, settings: ModelSettings, image_size: int, seed: int, device: str
    ) -> "TrainingState":
        """Build networks with the initial weights of a seed.

        Args:
            settings: Of networks and optimizers.
            image_size: Height and width in pixels.
            seed: Sets torch's global random numbers, for initial weights and dropout.
            device: Device of the networks.
        """
        torch.manual_seed(seed)
        # The generator comes first: the same seed gives the same one with and without
        # a discriminator.
        generator = build_network(
            image_size=image_size, **settings.network.model_dump()
        )
        load_encoder(generator, settings)
        discriminator = _build_discriminator(settings, image_size)
        trained = {"generator": generator} if settings.is_trainable else {}
        if discriminator is not None:
            trained["discriminator"] = discriminator
        for module in (generator, *trained.values()):
            module.to(device)
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        is_averaged = settings.training.ema and settings.is_trainable
        return cls(
            generator,
            discriminator,
            {name: distribute(module) for name, module in trained.items()},
            {n: _optimizer(m, settings.training) for n, m in trained.items()},
            average=copy.deepcopy(generator) if is_averaged else None,
            classes=_find_classes(generator, settings),
            sums=torch.zeros(len(settings.objective.logged_losses), device=device),
        )

    @property
    def networks(self) -> dict[str, nn.Module]:
        found = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
        }
        return {name: module for name, module in found.items() if module is not None}

    @property
    def translator(self) -> nn.Module:
        """The network that is validated and saved: the average if there is one."""
        return self.generator if self.average is None else self.average

    @property
    def epoch(self) -> int:
        """The last finished epoch; 0 before the first."""
        return len(self.history)

    def set_learning_rate(self, rate: float) -> None:
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]

    def step(self, name: str) -> None:
        """Apply the gradients of a network, and clear them."""
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)

    def update_average(self, decay: float) -> None:
        """Update the moving average after a step of the generator."""
        assert self.average is not None
        self.averaged += 1
        update_average(self.average, self.generator, decay, self.averaged)

    def end_epoch(self, row: dict[str, float]) -> None:
        """Add an epoch to the history, and reset what is counted within an epoch."""
        self.history.append(row)
        self.sums.zero_()
        self.batches, self.seen, self.seconds = 0, 0, 0.0


def dump(state: TrainingState) -> dict[str, Any]:
    """Everything needed to resume, as tensors, numbers and text."""
    has_cuda = torch.cuda.is_available()
    return {
        "networks": {n: module.state_dict() for n, module in state.networks.items()},
        "optimizers": {n: o.state_dict() for n, o in state.optimizers.items()},
        "rng_state": torch.get_rng_state(),
        "cuda_rng_state": torch.cuda.get_rng_state() if has_cuda else None,
        "sums": state.sums,
        **{name: getattr(state, name) for name in _PLAIN},
    }


def restore(state: TrainingState, dumped: dict[str, Any]) -> None:
    """Set a state to a dumped one; sets torch's global random numbers."""
    for name, module in state.networks.items():
        module.load_state_dict(dumped["networks"][name])
    for name, optimizer in state.optimizers.items():
        optimizer.load_state_dict(dumped["optimizers"][name])
    torch.set_rng_state(dumped["rng_state"])
    if dumped["cuda_rng_state"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(dumped["cuda_rng_state"])
    state.sums = dumped["sums"].to(state.sums.device)
    for name in _PLAIN:
        setattr(state, name, dumped[name])


def compile_networks(state: TrainingState) -> None:
    """Have generator and discriminator compiled on their first call (torch.compile).

    If that fails, as without a C++ compiler, torch warns and runs them uncompiled.
    """
    run_uncompiled_on_errors()
    for network in (state.generator, state.discriminator):
        if network is not None:
            network.compile()


def _build_discriminator(settings: ModelSettings, image_size: int) -> nn.Module | None:
    objective = settings.objective
    if not objective.has_discriminator:
        return None
    return MultiScalePatchGAN(
        objective.discriminator_channels,
        objective.scales,
        image_size,
        spectral_norm=objective.spectral_norm,
    )


def _find_classes(
    generator: nn.Module, settings: ModelSettings
) -> "ColourClasses | None":
    has_classes = settings.is_trainable and settings.network.output == CLASSES
    return cast("ColourClasses", generator.output) if has_classes else None


def _optimizer(network: nn.Module, training: TrainingSettings) -> torch.optim.Optimizer:
    """Adam, or AdamW (Loshchilov & Hutter 2019) with weight decay."""
    kind = torch.optim.AdamW if training.weight_decay else torch.optim.Adam
    return kind(
        _parameter_groups(network, training.encoder_rate),
        lr=training.learning_rate,
        betas=(training.beta1, BETA2),
        weight_decay=training.weight_decay,
        fused=True,
    )


def _parameter_groups(network: nn.Module, encoder_rate: float) -> list[dict[str, Any]]:
    """All parameters, those of a pretrained part with a learning rate of their own."""
    part: nn.Module | None = getattr(network, "pretrained", None)
    if part is None:
        return [{"params": [*network.parameters()], "factor": 1.0}]
    own = {id(parameter) for parameter in part.parameters()}
    others = [p for p in network.parameters() if id(p) not in own]
    return [
        {"params": others, "factor": 1.0},
        {"params": [*part.parameters()], "factor": encoder_rate},
    ]
