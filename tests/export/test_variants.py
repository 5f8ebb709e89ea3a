import math
from pathlib import Path

import numpy as np
import pytest

from image_translation.common.errors import InputError
from image_translation.export.variants import (
    REFERENCE,
    Variant,
    agreement_in_db,
    check_agreement,
    measure_variants,
    to_floats,
)
from image_translation.metrics import psnr
from tests.training.conftest import make_pairs


def copy(images):
    return images


def dim(images):
    return (images * 0.9).astype(np.float32)


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "model.onnx").write_bytes(b"12345")
    return tmp_path / "model.onnx"


def test_agreement_is_psnr_of_a_range_of_two():
    a = np.zeros((1, 3, 2, 2), np.float32)
    assert agreement_in_db(a + np.float32(0.02), a) == pytest.approx(40)
    assert agreement_in_db(a, a) == math.inf


@pytest.mark.parametrize("wrong", [dim, lambda images: images * np.nan])
def test_disagreeing_runtime_is_an_error(file, images, wrong):
    check_agreement(Variant("x", file, copy), copy, images)
    with pytest.raises(
        InputError, match="the outputs of model.onnx differ from torch's"
    ):
        check_agreement(Variant("x", file, wrong), copy, images)


def test_variants_are_compared_with_torch_and_target(file):
    pairs = make_pairs(20)
    variants = [Variant(REFERENCE, file, copy), Variant("dim", file, dim)]
    table = measure_variants(variants, pairs).set_index("variant")
    assert (table["bytes"] == 5).all() and (table["file"] == "model.onnx").all()
    assert (table[["images_per_second_1", "images_per_second_16"]] > 0).all(axis=None)

    floats = to_floats(pairs.inputs)
    expected = 10 * np.log10(4 / np.mean((floats - dim(floats)) ** 2))
    assert table.loc[REFERENCE, "psnr_to_torch"] == math.inf
    assert table.loc["dim", "psnr_to_torch"] == pytest.approx(expected, abs=1e-3)

    score = psnr(pairs.inputs, pairs.targets).mean()
    assert table.loc[REFERENCE, "psnr_to_target"] == pytest.approx(score)
    lost = table.loc[REFERENCE, "psnr_to_target"] - table.loc["dim", "psnr_to_target"]
    assert table.loc["dim", "psnr_lost"] == pytest.approx(lost) and lost != 0
