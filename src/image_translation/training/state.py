"""All that changes while a model is trained."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from image_translation.models import MultiScalePatchGAN, build_network
from image_translation.training.settings import ModelSettings

BETA2 = 0.999
"""Adam's second decay rate, Isola et al. 2017, 3.3."""


@dataclass
class TrainingState:
    """Networks, optimizers, chance and what has been reached.

    Attributes:
        generator: Translates.
        discriminator: Judges; None where the objective has no adversarial term.
        optimizers: ``generator`` and ``discriminator``, as far as they are trained.
        average: The generator with moving averages of its weights, or None.
        history: One row a finished epoch.
        batches: Finished in the epoch under way.
        sums: Of the losses over the pairs seen in the epoch under way; on the device,
            since reading it makes the host wait for all that is queued.
        seen: Pairs seen in the epoch under way.
        seconds: Spent on the epoch under way.
        best_epoch: The epoch whose weights are kept; None before the first.
        averaged: Steps in `average`.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    optimizers: dict[str, torch.optim.Optimizer]
    average: nn.Module | None = None
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
            settings: Which networks and optimizers.
            image_size: Height and width in pixels.
            seed: Of all chance; sets torch's global random numbers.
            device: Where the networks are put.
        """
        torch.manual_seed(seed)  # initializes networks, and drops activations
        network, objective = settings.network, settings.objective
        # The generator comes first: the same seed gives the same one with and without
        # a discriminator.
        generator = build_network(image_size=image_size, **network.model_dump())
        discriminator = None
        if objective.has_discriminator:
            discriminator = MultiScalePatchGAN(
                objective.discriminator_channels,
                objective.scales,
                image_size,
                spectral_norm=objective.spectral_norm,
            )
        trained = {}
        if settings.is_trainable:
            trained["generator"] = generator
        if discriminator is not None:
            trained["discriminator"] = discriminator
        for module in (generator, *trained.values()):
            module.to(device)
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(
                module.parameters(),
                lr=settings.training.learning_rate,
                betas=(settings.training.beta1, BETA2),
                fused=True,
            )
            for name, module in trained.items()
        }
        is_averaged = settings.training.ema and settings.is_trainable
        average = copy.deepcopy(generator) if is_averaged else None
        sums = torch.zeros(len(objective.logged_losses), device=device)
        return cls(generator, discriminator, optimizers, average, sums=sums)

    def compile(self) -> None:
        """Have both networks compiled when they are first called (torch.compile).

        Where that fails, as without a C++ compiler, torch says so and goes on without.
        """
        torch._dynamo.config.suppress_errors = True
        for network in (self.generator, self.discriminator):
            if network is not None:
                network.compile()

    @property
    def translator(self) -> nn.Module:
        """What is validated and kept: the averaged generator where there is one."""
        return self.generator if self.average is None else self.average

    @property
    def epoch(self) -> int:
        """The last epoch that was finished; 0 before the first."""
        return len(self.history)

    def row(self, epoch: int) -> dict[str, float]:
        """The history of one epoch."""
        return next(row for row in self.history if row["epoch"] == epoch)

    def dump(self) -> dict[str, Any]:
        """Everything it takes to go on, as tensors, numbers and text."""
        return {
            "networks": {
                name: module.state_dict() for name, module in self._networks().items()
            },
            "optimizers": {
                name: optimizer.state_dict()
                for name, optimizer in self.optimizers.items()
            },
            "chance": torch.get_rng_state(),
            "cuda_chance": (
                torch.cuda.get_rng_state() if torch.cuda.is_available() else None
            ),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "batches": self.batches,
            "sums": self.sums,
            "seen": self.seen,
            "seconds": self.seconds,
            "averaged": self.averaged,
        }

    def restore(self, dumped: dict[str, Any]) -> None:
        """Go back to where `dump` was called; sets torch's global random numbers."""
        for name, module in self._networks().items():
            module.load_state_dict(dumped["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(dumped["optimizers"][name])
        torch.set_rng_state(dumped["chance"])
        if dumped["cuda_chance"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(dumped["cuda_chance"])
        self.history = dumped["history"]
        self.best_epoch = dumped["best_epoch"]
        self.batches = dumped["batches"]
        self.sums = dumped["sums"].to(self.sums.device)
        self.seen = dumped["seen"]
        self.seconds = dumped["seconds"]
        self.averaged = dumped["averaged"]

    def set_learning_rate(self, rate: float) -> None:
        """Set the rate of all optimizers."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate

    def begin_epoch(self) -> None:
        """Forget what was counted in the epoch before."""
        self.sums.zero_()
        self.batches, self.seen, self.seconds = 0, 0, 0.0

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the averages a step towards the generator's weights.

        The decay rises from 2 / 11 with the steps, (1 + n) / (10 + n) at step n, until it
        has reached ``decay``: the first weights, drawn at random, are soon forgotten
        (`num_updates` of TensorFlow's ExponentialMovingAverage). Batch statistics are
        left alone: `recompute_statistics` makes them before they are needed.
        """
        assert self.average is not None
        self.averaged += 1
        decay = min(decay, (1 + self.averaged) / (10 + self.averaged))
        averages: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averages, current, 1 - decay)

    def _networks(self) -> dict[str, nn.Module]:
        networks = {"generator": self.generator}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        if self.average is not None:
            networks["average"] = self.average
        return networks
