import os
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from image_translation.pairing.arrays import PairArrays
from image_translation.training import fit, loop
from image_translation.training.settings import ModelSettings

SIZE = 32

TRAINED = ["pix2pix", "unet", "autoencoder", "autoencoder_gan"]

TIMES = ["seconds", "images_per_second"]

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
    "compared": {  # every loss that needs no discriminator
        "network.name": "unet",
        "network.output": "residual",
        "network.normalization": "instance",
        "objective.ms_ssim": 1,
        "objective.focal_frequency": 1,
        "objective.l2": 1,
    },
    "classes": {
        "network.name": "unet",
        "network.output": "classes",
        "objective.l1": 0,
        "objective.colour_classes": 1,
    },
    "structured": {  # every option that a model can have, at once
        "network.name": "unet",
        "network.base_channels": 8,
        "network.output": "classes",
        "network.upsampling": "shuffle",
        "network.normalization": "group",
        "network.attention": True,
        "network.dropout": 0.2,
        "network.levels": 4,
        "network.blocks": 1,
        "objective.adversarial": 0.1,
        "objective.l1": 10,
        "objective.ms_ssim": 1,
        "objective.focal_frequency": 1,
        "objective.l2": 1,
        "objective.feature_matching": 1,
        "objective.colour_classes": 1,
        "objective.gan_loss": "hinge",
        "objective.spectral_norm": True,
        "objective.diff_augment": "colour|translation|cutout",
        "training.gamma": 1.3,
        "training.chroma": 0.2,
        "training.ema": 0.9,
        "inference.flips": True,
    },
    "pretrained_unet": {
        "network.name": "pretrained_unet",
        "network.output": "residual",
        "training.encoder_weights": "imagenet",
        "training.encoder_rate": 0.25,
        "training.weight_decay": 0.01,
        "training.warm_up": 2,
        "training.ema": 0.9,
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
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
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


class Recorder:
    """Records the calls of an observer."""

    def __init__(self, interrupt_at=None):
        self.interrupt_at = interrupt_at
        self.starts, self.epochs, self.ends = [], {}, []
        self.before = None

    def on_start(self, replicate, folder, settings, cost):
        has_history = (folder / "history.csv").exists()
        self.starts.append((replicate, has_history, dict(cost)))

    def on_epoch(self, epoch, metrics, samples):
        if not metrics:
            self.before = samples
            return
        self.epochs[epoch] = (dict(metrics), samples)
        if epoch == self.interrupt_at:
            raise KeyboardInterrupt

    def on_end(self, trained):
        self.ends.append(trained)


@pytest.fixture
def train_model(train_pairs, validation_pairs):
    """Train by the name of a model, with changes by dotted name."""

    def train_model(folder, model="unet", *, observers=(), replicate=0, **changes):
        return fit(
            make_settings(model, **changes),
            train_pairs,
            validation_pairs,
            folder,
            replicate=replicate,
            name=model,
            observers=observers,
        )

    return train_model


def weights(trained):
    return (trained.folder / "weights.safetensors").read_bytes()


def assert_same_training(a, b):
    assert weights(a) == weights(b)
    pd.testing.assert_frame_equal(
        a.history().drop(columns=TIMES), b.history().drop(columns=TIMES)
    )
    assert a.fingerprint == b.fingerprint


def interrupt_at_batch(monkeypatch, number, signal_number=None):
    """Raise KeyboardInterrupt, or send a signal, while a batch is trained."""
    train_batch, calls = loop.train_batch, []

    def interrupt(*args, **kwargs):
        calls.append(1)
        if len(calls) == number:
            if signal_number is None:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal_number)
        return train_batch(*args, **kwargs)

    monkeypatch.setattr(loop, "train_batch", interrupt)


def diverge_in(monkeypatch, epoch, loss=float("nan"), batches=2):
    train_batch, calls = loop.train_batch, []

    def diverge(*args, **kwargs):
        calls.append(1)
        losses = train_batch(*args, **kwargs)
        is_due = len(calls) > batches * (epoch - 1)
        return torch.full_like(losses, loss) if is_due else losses

    monkeypatch.setattr(loop, "train_batch", diverge)
