from typing import Any

import numpy as np
import pandas as pd
import pytest

from image_translation.pairing.arrays import PairArrays
from image_translation.training.settings import ModelSettings

SIZE = 32

BLOCK = {
    "enabled": True,
    "network": {"name": "unet", "base_channels": 2},
    "objective": {"adversarial": 0, "l1": 1, "discriminator_channels": 2},
    "training": {
        "epochs": 3,
        "batch_size": 4,
        "accumulate": 1,
        "learning_rate": 0.002,
        "schedule": "constant",
        "beta1": 0.5,
        "ema": None,
        "jitter": 1.117,
        "flip": True,
        "select_by": "psnr",
        "replicates": 1,
        "seed": 0,
        "warm_start": None,
        "device": "auto",
        "precision": "auto",
        "devices": 1,
        "nodes": 1,
        "rendezvous": None,
        "compile": False,
        "checkpoint_minutes": 10,
        "force": False,
    },
    "inference": {"batch_size": 4, "dropout": False, "batch_statistics": False},
}

MODELS: dict[str, dict[str, Any]] = {
    "pix2pix": {
        "network.name": "unet",
        "objective.adversarial": 1,
        "objective.l1": 100,
    },
    "unet": {"network.name": "unet"},
    "autoencoder": {"network.name": "autoencoder"},
    "autoencoder_gan": {
        "network.name": "autoencoder",
        "objective.adversarial": 1,
        "objective.l1": 100,
    },
    "compared": {  # by every loss that needs no judge
        "network.name": "unet",
        "network.output": "residual",
        "network.normalization": "instance",
        "objective.ms_ssim": 1,
        "objective.focal_frequency": 1,
    },
    "structured": {  # every option that a model can have, at once
        "network.name": "unet",
        "network.base_channels": 8,
        "network.output": "ycbcr",
        "network.upsampling": "shuffle",
        "network.normalization": "group",
        "network.attention": True,
        "network.dropout": 0.2,
        "network.levels": 4,
        "objective.adversarial": 0.1,
        "objective.l1": 10,
        "objective.ms_ssim": 1,
        "objective.focal_frequency": 1,
        "objective.feature_matching": 1,
        "objective.gan_loss": "hinge",
        "objective.spectral_norm": True,
        "training.ema": 0.9,
        "inference.flips": True,
    },
    "copy_input": {"network.name": "copy_input", "objective.l1": 0},
    "mean_target": {"network.name": "mean_target", "objective.l1": 0},
}


def make_settings(model: str = "unet", **changes: Any) -> ModelSettings:
    """Settings of a model; changes by dotted name, dots written as two underscores."""
    block = {k: dict(v) if isinstance(v, dict) else v for k, v in BLOCK.items()}
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    for name, value in {**MODELS[model], **dotted}.items():
        group, _, key = name.rpartition(".")
        (block[group] if group else block)[key] = value
    return ModelSettings.model_validate(block)


def make_pairs(count: int, seed: int = 0) -> PairArrays:
    """Smooth random images; a target is its input with the colours inverted."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    inputs = coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    ids = [f"{number:016x}" for number in range(count)]
    index = pd.DataFrame({"pair_id": ids, "group": ids})
    return PairArrays(inputs, 255 - inputs, index, f"{count} pairs of {seed}")


@pytest.fixture(scope="session")
def train_pairs() -> PairArrays:
    return make_pairs(6, seed=0)


@pytest.fixture(scope="session")
def validation_pairs() -> PairArrays:
    return make_pairs(5, seed=1)
