"""Measure the variants of a model: size, speed and loss of quality."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.export.formats import Floats, Run
from image_translation.imaging.contact_sheet import evenly_spaced
from image_translation.metrics import for_means, psnr
from image_translation.pairing.arrays import PairArrays
from image_translation.training.tensors import to_tensor, to_uint8

REFERENCE = "torch fp32"
"""The variant with which all others are compared."""

MIN_AGREEMENT = 50.0
"""Minimum PSNR in dB between the float32 outputs of two runtimes."""

MEASURED_PAIRS = 128
"""Number of validation pairs, evenly spaced, for the quality of variants."""

BATCHES = (1, 16)
ROUNDS = 3
PEAK_TO_PEAK = 2.0  # of values in [-1, 1]

COLUMNS = (
    "variant",
    "file",
    "bytes",
    *(f"images_per_second_{batch}" for batch in BATCHES),
    "psnr_to_torch",
    "psnr_to_target",
    "psnr_lost",
)


@dataclass(frozen=True)
class Variant:
    """A variant of a model.

    Attributes:
        name: Name in the table.
        file: Its file.
        run: The variant as a function.
    """

    name: str
    file: Path
    run: Run


def check_agreement(
    variant: Variant, reference: Run, inputs: NDArray[np.uint8]
) -> None:
    """Verify that the outputs of a variant agree with torch's on given images.

    Args:
        variant: A variant in float32.
        reference: The network in torch.
        inputs: Images, uint8 N×H×W×3.

    Raises:
        InputError: PSNR between the outputs, from -1 to 1, is below ``MIN_AGREEMENT``.
    """
    images = to_floats(inputs)
    agreement = agreement_in_db(variant.run(images), reference(images))
    if not agreement >= MIN_AGREEMENT:  # also true for NaN
        count, _, height, width = images.shape
        raise InputError(
            f"the outputs of {variant.file.name} differ from torch's: on {wording.count(count, 'image')} of "
            f"{height}×{width} px they agree to {agreement:.1f} dB (PSNR), but "
            f"{MIN_AGREEMENT:.0f} dB are required. Nothing was exported; try another "
            "version of torch or onnxruntime"
        )


def agreement_in_db(outputs: Floats, expected: Floats) -> float:
    """PSNR between outputs in [-1, 1]; infinite if they are equal."""
    return _psnr(float(np.square(outputs - expected, dtype=np.float64).mean()))


def measure_variants(variants: Sequence[Variant], pairs: PairArrays) -> pd.DataFrame:
    """Measure variants on validation pairs.

    Args:
        variants: The reference, named ``REFERENCE``, and the others.
        pairs: Validation pairs.

    Returns:
        One row per variant: ``variant, file, bytes``; ``images_per_second_1`` and
        ``…_16`` at these batch sizes, the best of several rounds in turns;
        ``psnr_to_torch``: of all outputs together, in dB; ``psnr_to_target``: the mean
        over images in 8 bits, as in the report; ``psnr_lost``: loss relative to the
        reference.
    """
    speed = _measure_speed(variants, np.asarray(pairs.inputs[:1]))
    agreement, quality = _measure_quality(variants, pairs)
    rows = [
        (
            variant.name,
            variant.file.name,
            variant.file.stat().st_size,
            *(speed[variant.name, batch] for batch in BATCHES),
            agreement[variant.name],
            quality[variant.name],
            quality[REFERENCE] - quality[variant.name],
        )
        for variant in variants
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def to_floats(images: NDArray[np.uint8]) -> Floats:
    """Convert images, uint8 N×H×W×3, to the input of exported models."""
    return to_tensor(images).contiguous().numpy()


def batched(images: NDArray[np.uint8], indices: Sequence[int]) -> Iterator[Floats]:
    """Selected images as batches of inputs of exported models."""
    size = BATCHES[-1]
    for start in range(0, len(indices), size):
        yield to_floats(np.asarray(images[indices[start : start + size]]))


def _measure_speed(
    variants: Sequence[Variant], image: NDArray[np.uint8]
) -> Mapping[tuple[str, int], float]:
    speed: dict[tuple[str, int], float] = {}
    for batch in BATCHES:
        images = to_floats(image.repeat(batch, axis=0))
        for number in range(ROUNDS + 1):
            for variant in variants:
                started = time.perf_counter()
                variant.run(images)
                found = batch / (time.perf_counter() - started)
                if number:  # the first round is a warm-up
                    key = variant.name, batch
                    speed[key] = max(found, speed.get(key, 0.0))
    return speed


def _measure_quality(
    variants: Sequence[Variant], pairs: PairArrays
) -> tuple[dict[str, float], dict[str, float]]:
    """PSNR to the reference, and mean PSNR to the targets, by variant."""
    indices = evenly_spaced(len(pairs), MEASURED_PAIRS)
    errors: dict[str, list[float]] = {variant.name: [] for variant in variants}
    scores: dict[str, list[NDArray[np.float64]]] = {v.name: [] for v in variants}
    start = 0
    for images in batched(pairs.inputs, indices):
        chosen = indices[start : start + len(images)]
        targets = np.asarray(pairs.targets[chosen])
        start += len(images)
        outputs = {variant.name: variant.run(images) for variant in variants}
        for name, output in outputs.items():
            error = np.square(output - outputs[REFERENCE], dtype=np.float64)
            errors[name] += error.mean(axis=(1, 2, 3)).tolist()
            predicted = to_uint8(torch.from_numpy(output))
            scores[name].append(np.asarray(psnr(predicted, targets)))
    return (
        {name: _psnr(float(np.mean(found))) for name, found in errors.items()},
        {
            name: float(for_means("psnr", np.concatenate(found)).mean())
            for name, found in scores.items()
        },
    )


def _psnr(error: float) -> float:
    return math.inf if error == 0 else 10 * math.log10(PEAK_TO_PEAK**2 / error)
