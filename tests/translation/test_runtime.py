import logging

import numpy as np
import pytest

from image_translation.export import formats
from image_translation.export.formats import origin_of, write_onnx
from image_translation.training import fit
from image_translation.training.devices import Device
from image_translation.translation import runtime
from image_translation.translation.runtime import ExportedNetwork, load_network
from image_translation.translation.translator import Translator, translate_pixels
from tests.training.conftest import make_pairs, make_settings
from tests.translation.conftest import INFERENCE, SIZE
from tests.translation.conftest import make_settings as translation_settings

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    changes = {"training__epochs": 20, "training__learning_rate": 0.01}
    settings = make_settings("unet", **changes)
    folder = tmp_path_factory.mktemp("trained")
    return fit(settings, make_pairs(4), make_pairs(2, seed=1), folder)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    origin = origin_of(trained, INFERENCE)
    write_onnx(trained.load_generator(), SIZE, folder / formats.ONNX, origin)
    return folder


def test_exported_model_agrees_with_torch(trained, exported, photograph, caplog):
    caplog.set_level(logging.INFO)
    how = translation_settings()
    translator = Translator.read(trained, INFERENCE, how, exported)
    assert isinstance(translator.network, ExportedNetwork)
    assert "Using ONNX Runtime" in caplog.text
    in_torch = Translator.read(trained, INFERENCE, how)
    expected = translate_pixels(in_torch, photograph).astype(int)
    assert np.ptp(expected) > 10
    found = translate_pixels(translator, photograph)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(
    "change", [{"flips": True}, {"dropout": True}, {"batch_statistics": True}]
)
def test_export_of_another_protocol_is_ignored(trained, exported, change, caplog):
    inference = INFERENCE.model_copy(update=change)
    network = load_network(trained, inference, exported)
    assert not isinstance(network, ExportedNetwork)
    assert "export again: kedro run --pipeline=export" in caplog.text


def test_export_of_other_weights_is_ignored(trained, exported, tmp_path, caplog):
    settings = make_settings("unet", training__epochs=1, training__seed=1)
    newer = fit(settings, make_pairs(4), make_pairs(2, seed=1), tmp_path)
    assert not isinstance(load_network(newer, INFERENCE, exported), ExportedNetwork)
    assert "from a different model" in caplog.text


def test_broken_export_is_ignored(trained, tmp_path, caplog):
    (tmp_path / formats.ONNX).write_bytes(b"no model")
    network = load_network(trained, INFERENCE, tmp_path)
    assert not isinstance(network, ExportedNetwork)
    assert "cannot be read" in caplog.text


def test_batch_size_is_not_part_of_the_protocol(trained, exported):
    inference = INFERENCE.model_copy(update={"batch_size": 1})
    assert isinstance(load_network(trained, inference, exported), ExportedNetwork)


def test_torch_is_the_fallback(trained, exported, tmp_path, monkeypatch, caplog):
    for folder in (None, tmp_path):
        assert not isinstance(load_network(trained, INFERENCE, folder), ExportedNetwork)
    monkeypatch.setattr(runtime, "find_spec", lambda name: None)
    assert not isinstance(load_network(trained, INFERENCE, exported), ExportedNetwork)
    assert not caplog.text


def test_torch_is_used_on_a_gpu(trained, exported, monkeypatch):
    """With a device that torch supports everywhere."""
    monkeypatch.setattr(runtime, "pick_device", lambda **_: Device("meta", "fp32"))
    network = load_network(trained, INFERENCE, exported)
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
