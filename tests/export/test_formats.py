import subprocess
import sys

import numpy as np
import pytest
import torch

from image_translation.common.errors import InputError
from image_translation.export import formats
from image_translation.export.variants import agreement_in_db, to_floats
from image_translation.training.inference import MeanOfFlips
from tests.export.conftest import SIZE, make_generator

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module", params=["unet", "autoencoder"])
def case(request, tmp_path_factory):
    """A generator in torch, and its ONNX model."""
    return export(make_generator(request.param), request.param, tmp_path_factory)


def export(network, name, tmp_path_factory):
    path = tmp_path_factory.mktemp(name) / "model.onnx"
    formats.write_onnx(network, SIZE, path)
    return formats.run_torch(network), path


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    "shape", [(1, 3, 32, 32), (5, 3, 32, 32), (2, 3, 64, 32), (1, 3, 32, 96)]
)
def test_onnx_runtime_agrees_with_torch(case, shape):
    reference, path = case
    images = random_images(*shape)
    expected = reference(images)
    assert expected.std() > 0.05  # or any agreement would be worth little
    output = formats.load_onnx(path)(images)
    assert output.shape == shape
    assert agreement_in_db(output, expected) >= 50


@pytest.mark.parametrize(
    "structure",
    [
        {"output": "lab", "upsampling": "shuffle", "attention": True},
        {"output": "classes", "levels": 4},
        pytest.param(
            {"output": "ycbcr", "levels": 4, "dropout": 0}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"output": "residual", "upsampling": "resize", "normalization": "group"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda structure: structure["output"],
)
def test_later_structures_and_flips_agree_too(structure, tmp_path_factory):
    network = MeanOfFlips(make_generator("unet", **structure)).eval()
    reference, path = export(network, structure["output"], tmp_path_factory)
    images = random_images(3, 3, SIZE, SIZE)
    expected = reference(images)
    assert agreement_in_db(formats.load_onnx(path)(images), expected) >= 50
    formats.write_program(network, SIZE, path.with_suffix(".pt2"))
    program = formats.load_program(path.with_suffix(".pt2"))
    assert agreement_in_db(program(images), expected) >= 50


def test_onnx_model_is_one_file_that_passes_the_checker(case):
    import onnx

    _, path = case
    onnx.checker.check_model(path, full_check=True)
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("case", ["unet"], indirect=True)
def test_size_that_breaks_skip_connections_is_rejected(case):
    import onnxruntime

    _, path = case
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
        formats.load_onnx(path)(random_images(1, 3, 32, 40))


@pytest.mark.parametrize("count", [1, 5])
def test_program_agrees_with_torch(generator, count, tmp_path):
    formats.write_program(generator, SIZE, tmp_path / "model.pt2")
    images = random_images(count, 3, SIZE, SIZE)
    output = formats.load_program(tmp_path / "model.pt2")(images)
    np.testing.assert_allclose(output, formats.run_torch(generator)(images), atol=1e-6)


def test_program_can_compute_in_bfloat16(generator, tmp_path):
    formats.write_program(generator, SIZE, tmp_path / "a.pt2")
    formats.write_program(generator, SIZE, tmp_path / "b.pt2", torch.bfloat16)
    images = random_images(2, 3, SIZE, SIZE)
    output = formats.load_program(tmp_path / "b.pt2")(images)
    assert output.dtype == np.float32
    assert 25 < agreement_in_db(output, formats.run_torch(generator)(images)) < 80
    assert all(p.dtype == torch.float32 for p in generator.parameters())
    sizes = [(tmp_path / name).stat().st_size for name in ("a.pt2", "b.pt2")]
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize("case", ["unet"], indirect=True)
def test_half_precision_and_8_bits_are_smaller_and_close(case, images, tmp_path):
    reference, path = case
    half, small = tmp_path / "half.onnx", tmp_path / "small.onnx"
    formats.write_fp16(path, half)
    formats.write_int8(path, iter([to_floats(images)]), small)
    sample = to_floats(images)
    expected = reference(sample)
    agreement = {
        file: agreement_in_db(formats.load_onnx(file)(sample), expected)
        for file in (half, small)
    }
    assert agreement[half] > 50
    assert 20 < agreement[small] < agreement[half]
    assert half.stat().st_size < 0.7 * path.stat().st_size
    assert small.stat().st_size < half.stat().st_size


def test_error_of_missing_packages_names_the_extra(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install -e '.\[export\]'"):
        formats.require_packages()


def test_module_can_be_imported_without_onnx():
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None;"
        "import image_translation.export.package"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
