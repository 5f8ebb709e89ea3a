from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from image_translation.export.card import ModelFacts
from image_translation.networks import build_network

SIZE = 32


def make_generator(
    name: str = "unet", channels: int = 4, **structure: Any
) -> nn.Module:
    """A network as after training: varied outputs, own running statistics."""
    torch.manual_seed(0)
    network = build_network(name, SIZE, channels, **structure).train()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(4, 3, SIZE, SIZE) * 2 - 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
    return network.eval()


@pytest.fixture(scope="session")
def generator() -> nn.Module:
    return make_generator()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


CONFIG = {
    "network": {"name": "unet", "base_channels": 4},
    "image_size": SIZE,
    "objective": {"adversarial": 1, "l1": 100, "discriminator_channels": 8},
    "seed": 7,
    "best_epoch": 12,
    "select_by": "psnr",
    "weights_sha256": "ab" * 32,
    "cost": {
        "parameters": 54321,
        "gmac": 0.25,
        "epochs": 20,
        "device": "cpu",
        "precision": "fp32",
    },
}


def make_verdicts(verdict: str) -> pd.DataFrame:
    """pix2pix is 2 dB better than the copy."""
    row = {
        "model_a": "copy_input",
        "model_b": "pix2pix",
        "metric": "psnr",
        "difference": -2.0,
        "ci_low": -3.0,
        "ci_high": -1.0,
        "verdict": verdict,
    }
    return pd.DataFrame([row])


@pytest.fixture
def make_facts() -> Callable[..., ModelFacts]:
    comparison = pd.DataFrame(
        {
            "model": ["pix2pix", "copy_input"],
            "metric": "psnr",
            "mean": [25.5, 23.5],
            "ci_low": [24.25, 22.0],
            "ci_high": [26.75, 25.0],
            "n_images": 51,
            "n_groups": 12,
            "n_replicates": 2,
            "higher_is_better": True,
        }
    )
    splits = pd.DataFrame(
        {
            "split": ["train", "validation", "test"],
            "n_pairs": [285, 15, 51],
            "n_groups": [40, 5, 12],
        }
    )

    def make(**changes: object) -> ModelFacts:
        known = {
            "task": "colorization",
            "model": "pix2pix",
            "version": 3,
            "config": CONFIG,
            "source": "photographs",
            "credit": "chelsea: Stefan van der Walt, CC0",
            "derived": "input",
            "recipe": "grayscale: the photo's luma",
            "splits": splits,
            "digests": {"training pairs": "cd" * 32},
            "grey_input": True,
            "comparison": comparison,
            "verdicts": make_verdicts("pix2pix is better"),
        }
        return ModelFacts(**{**known, **changes})

    return make
