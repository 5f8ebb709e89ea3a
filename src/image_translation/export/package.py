"""Write the folder of an export: the model's files, measured variants, model card."""

import copy
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from image_translation.export import formats
from image_translation.export.card import ModelFacts, write_card
from image_translation.export.formats import ONNX
from image_translation.export.variants import (
    REFERENCE,
    Variant,
    batched,
    check_agreement,
    measure_variants,
)
from image_translation.imaging.contact_sheet import evenly_spaced
from image_translation.pairing.arrays import PairArrays
from image_translation.training.devices import pick_device

logger = logging.getLogger(__name__)

INT8, FP16 = "model_int8.onnx", "model_fp16.onnx"
PROGRAM, BF16 = "model.pt2", "model_bf16.pt2"
VARIANTS, CARD = "variants.csv", "MODEL_CARD.md"

CHECKED = 4
"""Number of images for the verification."""


@dataclass(frozen=True)
class ModelExport:
    """A model to export.

    Attributes:
        generator: In evaluation mode, on the CPU.
        train: Pairs that calibrate the 8-bit variant.
        validation: Pairs on which variants are measured.
        calibration: Number of calibration pairs, evenly spaced.
        facts: Facts of the model card.
        origin: Digest of the generator, by `origin_of`.
    """

    generator: nn.Module
    train: PairArrays
    validation: PairArrays
    calibration: int
    facts: ModelFacts
    origin: str

    def write(self, folder: Path) -> None:
        """Write all files into an existing folder.

        Raises:
            InputError: The outputs of a runtime differ from torch's.
        """
        generator = copy.deepcopy(self.generator).eval()
        table = measure_variants(
            self._write_variants(generator, folder), self.validation
        )
        table.to_csv(folder / VARIANTS, index=False)
        (folder / CARD).write_text(write_card(self.facts, table), "utf-8")

    def _write_variants(self, generator: nn.Module, folder: Path) -> list[Variant]:
        size, reference = self.facts.image_size, formats.run_torch(generator)
        formats.write_program(generator, size, folder / PROGRAM)
        formats.write_onnx(generator, size, folder / ONNX, self.origin)
        exact = [
            _onnx("onnx fp32", folder / ONNX),
            _program("torch.export fp32", folder / PROGRAM),
        ]
        for variant in exact:
            self._check(variant, reference)
        formats.write_fp16(folder / ONNX, folder / FP16)
        seen = evenly_spaced(len(self.train), self.calibration)
        images = batched(self.train.inputs, seen)
        formats.write_int8(folder / ONNX, images, folder / INT8)
        variants = [
            Variant(REFERENCE, folder / PROGRAM, reference),
            *exact,
            _onnx("onnx fp16", folder / FP16),
            _onnx("onnx int8", folder / INT8),
        ]
        if pick_device("cpu").precision == "bf16":
            formats.write_program(generator, size, folder / BF16, torch.bfloat16)
            variants.append(_program("torch.export bf16", folder / BF16))
        return variants

    def _check(self, variant: Variant, reference: formats.Run) -> None:
        chosen = evenly_spaced(len(self.validation), CHECKED)
        images = np.asarray(self.validation.inputs[chosen])
        samples = [images, images[:1]]
        if variant.file.suffix == ".onnx":  # verify other sizes too
            samples.append(np.tile(images[:1], (1, 1, 2, 1)))
        for sample in samples:
            check_agreement(variant, reference, sample)


def _onnx(name: str, file: Path) -> Variant:
    return Variant(name, file, formats.load_onnx(file))


def _program(name: str, file: Path) -> Variant:
    return Variant(name, file, formats.load_program(file))
