import pytest
import torch

from image_translation.training import devices
from image_translation.training.devices import Device, pick_device


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_measured_precision_is_used_on_a_cpu(monkeypatch, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "fastest_precision", lambda: precision)
    assert pick_device() == Device("cpu", precision)
    assert pick_device(precision="fp32") == Device("cpu", "fp32")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_autocast_computes_in_the_precision(precision, dtype):
    layer = torch.nn.Conv2d(3, 3, 1)
    with Device("cpu", precision).autocast():
        assert layer(torch.zeros(1, 3, 2, 2)).dtype == dtype
