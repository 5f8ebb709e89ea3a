"""All that changes while a model is trained."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from image_translation.models import PatchGAN, build_network
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
        data_chance: Shuffles and augments. Apart from torch's global random numbers,
            which initialize networks and drop activations, so that all models of one
            seed see the same data in the same order.
        history: One row an epoch.
        best_epoch: The epoch whose weights are kept; None before the first.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    optimizers: dict[str, torch.optim.Optimizer]
    data_chance: torch.Generator
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None

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
        torch.manual_seed(seed)
        network, objective = settings.network, settings.objective
        # The generator comes first: the same seed gives the same one with and without
        # a discriminator.
        generator = build_network(network.name, image_size, network.base_channels)
        discriminator = (
            PatchGAN(objective.discriminator_channels)
            if objective.adversarial
            else None
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
        data_chance = torch.Generator().manual_seed(seed)
        return cls(generator, discriminator, optimizers, data_chance)

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
            "data_chance": self.data_chance.get_state(),
            "chance": torch.get_rng_state(),
            "cuda_chance": (
                torch.cuda.get_rng_state() if torch.cuda.is_available() else None
            ),
            "history": self.history,
            "best_epoch": self.best_epoch,
        }

    def restore(self, dumped: dict[str, Any]) -> None:
        """Go back to where `dump` was called; sets torch's global random numbers."""
        for name, module in self._networks().items():
            module.load_state_dict(dumped["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(dumped["optimizers"][name])
        self.data_chance.set_state(dumped["data_chance"])
        torch.set_rng_state(dumped["chance"])
        if dumped["cuda_chance"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(dumped["cuda_chance"])
        self.history = dumped["history"]
        self.best_epoch = dumped["best_epoch"]

    def _networks(self) -> dict[str, nn.Module]:
        networks = {"generator": self.generator}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        return networks
