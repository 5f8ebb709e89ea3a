"""Reference: a plain training step to compare the step of this project with.

The same networks and losses, in float32 and contiguous memory, with PyTorch's defaults.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from image_translation.config.parameters import LayeredConfigLoader
from image_translation.networks import PatchGAN, build_network
from image_translation.training.settings import AUTO, ModelSettings

Step = Callable[[Tensor, Tensor], object]
"""Function of inputs and targets, N×3×S×S in [-1, 1]."""


def read_settings(model: str, channels: int) -> ModelSettings:
    """Default settings of a model, with ``channels`` in the first block.

    Benchmarks train on noise, from which no output can be chosen: ``auto`` is that of
    colorization.
    """
    conf = Path(__file__).parents[1] / "conf"
    loader = LayeredConfigLoader(str(conf), base_env="base", default_run_env="base")
    settings = loader["parameters"]["custom"].models[model]
    output = "ycbcr" if settings.network.output == AUTO else settings.network.output
    network = {"base_channels": channels, "output": output}
    return settings.model_copy(
        update={
            "network": settings.network.model_copy(update=network),
            "objective": settings.objective.model_copy(
                update={"discriminator_channels": channels}
            ),
        }
    )


def reference_step(
    settings: ModelSettings, size: int, seed: int = 0, device: str = "cpu"
) -> tuple[nn.Module, Step]:
    """A new generator and the step that trains it."""
    torch.manual_seed(seed)
    network, objective = settings.network, settings.objective
    generator = build_network(network.name, size, network.base_channels).to(device)
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    generator_adam = torch.optim.Adam(generator.parameters(), **adam)
    if not objective.adversarial:

        def step_l1(images: Tensor, targets: Tensor) -> None:
            generator_adam.zero_grad()
            F.l1_loss(generator(images), targets).backward()
            generator_adam.step()

        return generator, step_l1

    discriminator = PatchGAN(objective.discriminator_channels, size).to(device)
    discriminator_adam = torch.optim.Adam(discriminator.parameters(), **adam)
    entropy = nn.BCEWithLogitsLoss()

    def step(images: Tensor, targets: Tensor) -> None:
        generated = generator(images)
        discriminator.requires_grad_(True)
        discriminator_adam.zero_grad()
        fake = discriminator(images, generated.detach())
        real = discriminator(images, targets)
        wrong = entropy(fake, torch.zeros_like(fake))
        right = entropy(real, torch.ones_like(real))
        ((wrong + right) / 2).backward()
        discriminator_adam.step()
        discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        fake = discriminator(images, generated)
        loss = entropy(fake, torch.ones_like(fake))
        (loss + objective.l1 * F.l1_loss(generated, targets)).backward()
        generator_adam.step()

    return generator, step
