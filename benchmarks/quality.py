"""Quality of fast training compared with plain training. Prints a Markdown table.

Each model is trained with the step of this project, in the best precision for this
machine, and with the plain step of ``reference.py`` in float32, with the same seeds,
batches and number of steps. The table compares the mean absolute error on the validation
pairs after the last step. The pairs are the prepared pairs of a task:

    kedro run --pipeline=custom --tags=ingestion,splitting,preparation --params "…"
    python benchmarks/quality.py --pairs data/05_model_input/custom --epochs 4
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from reference import Step, read_settings, reference_step
from torch import Tensor, nn

from image_translation.datasets.pair_arrays import PairArraysDataset
from image_translation.pairing.arrays import PairArrays
from image_translation.training.batches import Batch, Batches
from image_translation.training.devices import Device, Precision, pick_device
from image_translation.training.inference import translate
from image_translation.training.loop import train_batch
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState

MODELS = ("pix2pix", "unet")
ALLOWED = 0.02
"""Allowed increase relative to the reference's error, unless seeds vary more."""


def train(
    generator: nn.Module,
    step: Step,
    pairs: PairArrays,
    settings: ModelSettings,
    seed: int,
    device: Device,
) -> nn.Module:
    """Take one step per batch for the configured number of epochs."""
    generator.train()
    batches = Batches(pairs, settings.training, seed, device)
    for epoch in range(1, settings.training.epochs + 1):
        for batch in batches.epoch(epoch):
            step(batch.inputs, batch.targets)
    return generator


def train_plainly(pairs: PairArrays, settings: ModelSettings, seed: int) -> nn.Module:
    """Train with the reference step on contiguous batches."""
    device = pick_device(precision="fp32")
    generator, step = reference_step(settings, pairs.image_size, seed, device.kind)

    def contiguous(inputs: Tensor, targets: Tensor) -> None:
        step(inputs.contiguous(), targets.contiguous())

    return train(generator, contiguous, pairs, settings, seed, device)


def train_fast(
    pairs: PairArrays, settings: ModelSettings, seed: int, precision: Precision
) -> nn.Module:
    """Train with the step of this project."""
    device = pick_device(precision=precision)
    state = TrainingState.start(settings, pairs.image_size, seed, device.kind)

    def step(inputs: Tensor, targets: Tensor) -> None:
        batch = Batch(inputs, targets, len(inputs))
        train_batch(state, batch, settings, device)

    return train(state.generator, step, pairs, settings, seed, device)


def find_error(
    generator: nn.Module, validation: PairArrays, settings: ModelSettings
) -> float:
    """Mean absolute error on the validation pairs, in [0, 1]."""
    errors, start = [], 0
    for predictions in translate(generator, validation.inputs, settings.inference):
        targets = validation.targets[start : start + len(predictions)]
        errors.append(np.abs(predictions.astype(float) - targets).mean((1, 2, 3)))
        start += len(predictions)
    return float(np.concatenate(errors).mean()) / 255


def describe(model: str, plain: Iterable[float], fast: Iterable[float]) -> str:
    """Table row."""
    plain, fast = np.array([*plain]), np.array([*fast])
    deviation = plain.std(ddof=1)
    difference = fast.mean() - plain.mean()
    allowed = max(ALLOWED * plain.mean(), deviation)
    verdict = "yes" if difference <= allowed else "NO"
    return (
        f"| {model} | {plain.mean():.5f} | {deviation:.5f} | {fast.mean():.5f} | "
        f"{fast.std(ddof=1):.5f} | {difference / plain.mean():+.1%} | {verdict} |"
    )


def main() -> None:
    """Train, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    pairs, validation = (
        PairArraysDataset(filepath=str(arguments.pairs / side)).load()
        for side in ("train", "validation")
    )
    chosen = pick_device(precision=arguments.precision)
    print(
        f"{len(pairs)} training and {len(validation)} validation pairs of "
        f"{pairs.image_size} px, {arguments.epochs} epochs, batch {arguments.batch}, "
        f"first block of {arguments.channels} channels, {arguments.seeds} seeds; "
        f"{chosen.kind}, {chosen.precision}, torch {torch.__version__}\n\n"
        "| model | reference, fp32 | SD over seeds | ours | SD over seeds "
        "| difference | within 2 % or one SD |\n|---|---|---|---|---|---|---|"
    )
    for model in arguments.models:
        settings = read_settings(model, arguments.channels)
        changes = {"epochs": arguments.epochs, "batch_size": arguments.batch}
        training = settings.training.model_copy(update=changes)
        settings = settings.model_copy(update={"training": training})
        plain, fast = [], []
        for seed in range(arguments.seeds):
            network = train_plainly(pairs, settings, seed)
            plain.append(find_error(network, validation, settings))
            network = train_fast(pairs, settings, seed, chosen.precision)
            fast.append(find_error(network, validation, settings))
        print(describe(model, plain, fast), flush=True)


if __name__ == "__main__":
    main()
