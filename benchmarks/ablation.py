"""Ablation of the options of architecture and loss. Prints two Markdown tables.

Each option is measured alone against the plain model: options of the discriminator
against pix2pix, all others against the U-Net with L1. All trainings use the same seeds
and the same batches, and are scored on the validation pairs, never on the test pairs.
The pairs are the prepared pairs of a task:

    kedro run --pipeline=colorization --tags=ingestion,splitting,preparation
    python benchmarks/ablation.py --pairs data/05_model_input/colorization
"""

import argparse
import logging
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pages import write_section
from reference import read_settings

from image_translation.datasets.pair_arrays import PairArraysDataset
from image_translation.metrics import METRICS, for_means
from image_translation.pairing.arrays import PairArrays
from image_translation.training.fitting import fit
from image_translation.training.inference import translate
from image_translation.training.settings import ModelSettings

PLAIN = "as published"

OPTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "unet": [
        {"network.output": "residual"},
        {"network.output": "ycbcr"},
        {"network.output": "lab"},
        {"network.upsampling": "resize"},
        {"network.upsampling": "shuffle"},
        {"network.normalization": "instance"},
        {"network.normalization": "group"},
        {"network.normalization": "none"},
        {"network.attention": True},
        {"network.dropout": 0.0},
        {"network.levels": 4},
        {"network.blocks": 1},
        {"objective.ms_ssim": 1.0},
        {"objective.focal_frequency": 10.0},
        {"training.ema": 0.99},
        {"training.weight_decay": 0.01},
        {"training.jitter": 1.5, "training.random_jitter": True},
        {"training.gamma": 1.5},
        {"training.chroma": 0.3},
        {"inference.flips": True},
    ],
    "pix2pix": [
        {"objective.gan_loss": "hinge"},
        {"objective.gan_loss": "least_squares"},
        {"objective.spectral_norm": True},
        {"objective.scales": 2},
        {"objective.feature_matching": 10.0},
        {"objective.diff_augment": "translation|cutout"},
        {"objective.diff_augment": "colour|translation|cutout"},
    ],
}
"""Options by the plain model that they are compared with."""

SCORES = ("psnr", "ssim", "ciede2000")
DIGITS = (2, 4, 2)


@dataclass(frozen=True)
class Measured:
    """Scores of a model, seeds × `SCORES`, and seconds of training per pair."""

    scores: NDArray[np.float64]
    seconds: float


@dataclass(frozen=True)
class Ablation:
    """Pairs and settings shared by all models of a table."""

    train: PairArrays
    validation: PairArrays
    epochs: int
    batch: int
    channels: int
    seeds: int
    folder: Path

    def measure(self, model: str, options: Mapping[str, Any]) -> Measured:
        """Train a model with options from every seed, and score it."""
        settings = self._settings(model, options)
        # Options of inference need no training of their own.
        trained = {k: v for k, v in options.items() if not k.startswith("inference.")}
        scores, seconds = [], []
        for seed in range(self.seeds):
            replicate = fit(
                self._settings(model, trained),
                self.train,
                self.validation,
                self.folder / name_of(model, trained) / str(seed),
                replicate=seed,
                name=name_of(model, trained),
            )
            predicted = translate(
                replicate.load_generator(), self.validation.inputs, settings.inference
            )
            scores.append(self._score(np.concatenate([*predicted])))
            cost = replicate.cost
            seconds.append(cost["seconds"] / cost["samples_seen"])
        return Measured(np.array(scores), min(seconds))

    def _settings(self, model: str, options: Mapping[str, Any]) -> ModelSettings:
        block = read_settings(model, self.channels).model_dump()
        common = {"training.epochs": self.epochs, "training.batch_size": self.batch}
        for name, value in {**common, **options}.items():
            section, _, parameter = name.partition(".")
            block[section][parameter] = value
        return ModelSettings.model_validate(block)

    def _score(self, predictions: NDArray[np.uint8]) -> list[float]:
        targets = np.asarray(self.validation.targets)
        return [
            float(for_means(name, METRICS[name].function(predictions, targets)).mean())
            for name in SCORES
        ]


def name_of(model: str, options: Mapping[str, Any]) -> str:
    """Name of a model with options, for its folder and the log."""
    parts = (f"{name.partition('.')[2]}={value}" for name, value in options.items())
    return " ".join([model, *parts])


def rows_of(ablation: Ablation, model: str, only: Iterable[str]) -> Iterator[str]:
    """Yield the rows of a table."""
    plain = ablation.measure(model, {})
    yield row(PLAIN, plain, None)
    for options in OPTIONS[model]:
        if not only or any(name.partition(".")[2] in only for name in options):
            text = ", ".join(f"`{name}={value}`" for name, value in options.items())
            yield row(text, ablation.measure(model, options), plain)


def row(text: str, measured: Measured, plain: Measured | None) -> str:
    """Table row: means, and differences to the plain model with deviations over seeds."""
    cells = []
    for column, digits in enumerate(DIGITS):
        values = measured.scores[:, column]
        cell = f"{values.mean():.{digits}f}"
        if plain is not None:
            gains = values - plain.scores[:, column]
            cell += f" ({gains.mean():+.{digits}f}{deviation(gains, digits)})"
        else:
            cell += deviation(values, digits)
        cells.append(cell)
    return f"| {text} | {' | '.join(cells)} | {1000 * measured.seconds:.1f} |"


def deviation(values: NDArray[np.float64], digits: int) -> str:
    """Standard deviation over seeds; empty for one seed."""
    return f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""


def describe(ablation: Ablation, command: str) -> str:
    """Describe data, settings, machine and command."""
    cpu = platform.processor() or platform.machine()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return (
        f"{len(ablation.train)} training and {len(ablation.validation)} validation pairs "
        f"of {ablation.train.image_size} pixels, {ablation.epochs} epochs, batch "
        f"{ablation.batch}, first block of {ablation.channels} channels, "
        f"{ablation.seeds} seeds; {device}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. In brackets the difference to the first row, ± its "
        "standard deviation over seeds (of the first row: that of its value); the time "
        f"is that of training steps.\n\n```console\n{command}\n```"
    )


def first(pairs: PairArrays, count: int | None) -> PairArrays:
    """The first ``count`` pairs, or all."""
    if count is None or count >= len(pairs):
        return pairs
    return replace(
        pairs,
        inputs=pairs.inputs[:count],
        targets=pairs.targets[:count],
        index=pairs.index.head(count),
        fingerprint=f"{pairs.fingerprint} up to {count}",
    )


@contextmanager
def folder_for(kept: Path | None) -> Iterator[Path]:
    """Folder of trained models: the given one, to resume from, or a temporary one."""
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    """Train, compare, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="maximum number of training pairs")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--only", nargs="*", default=[], help="names of options")
    parser.add_argument("--keep", type=Path, help="folder of models to resume from")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    arguments = parser.parse_args()
    logging.getLogger("image_translation").setLevel(logging.WARNING)
    train, validation = (
        PairArraysDataset(filepath=str(arguments.pairs / side)).load()
        for side in ("train", "validation")
    )
    with folder_for(arguments.keep) as folder:
        ablation = Ablation(
            first(train, arguments.limit),
            validation,
            arguments.epochs,
            arguments.batch,
            arguments.channels,
            arguments.seeds,
            folder,
        )
        text = [describe(ablation, " ".join(["python", *sys.argv]))]
        print(text[0], flush=True)
        for model in arguments.models:
            text += [
                f"\n| {model} | PSNR, dB | SSIM | CIEDE2000 | ms a pair |",
                "|---|---|---|---|---|",
            ]
            print("\n".join(text[-2:]), flush=True)
            for line in rows_of(ablation, model, arguments.only):
                text.append(line)
                print(line, flush=True)
    if arguments.write:
        write_section(arguments.write, "ablation", text)


if __name__ == "__main__":
    main()
