import pytest
import torch

from image_translation.training.devices import Device, pick_device


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "fp32"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_bfloat16_is_used_where_it_is_faster(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert pick_device() == Device("cpu", precision)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_autocast_computes_in_the_precision(precision, dtype):
    layer = torch.nn.Conv2d(3, 3, 1)
    with Device("cpu", precision).autocast():
        assert layer(torch.zeros(1, 3, 2, 2)).dtype == dtype
