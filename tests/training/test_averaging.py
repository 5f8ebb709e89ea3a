"""Batch statistics of averaged weights."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from image_translation.networks import build_network
from image_translation.training import averaging
from image_translation.training.averaging import recompute_statistics
from image_translation.training.devices import Device
from image_translation.training.tensors import to_tensor
from tests.training.conftest import SIZE, make_pairs

DEVICE = Device("cpu", "fp32")
INPUTS = make_pairs(8).inputs


def network(**structure):
    torch.manual_seed(0)
    return build_network("unet", SIZE, 4, **structure)


def test_statistics_are_those_of_torchs_update_bn():
    ours = network(dropout=0)
    theirs = copy.deepcopy(ours)
    recompute_statistics(ours, INPUTS, 4, DEVICE)
    update_bn(to_tensor(INPUTS).split(4), theirs)
    found, expected = ours.state_dict(), theirs.state_dict()
    assert any("running_mean" in name for name in expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_old_statistics_are_discarded_and_dropout_is_off():
    first = network(dropout=0.5)
    recompute_statistics(first, INPUTS, 4, DEVICE)
    expected = {k: v.clone() for k, v in first.state_dict().items()}
    with torch.no_grad():
        for norm in first.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.fill_(7)
    rng_state = torch.get_rng_state()
    recompute_statistics(first, INPUTS, 4, DEVICE)
    assert all(torch.equal(v, expected[k]) for k, v in first.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng_state)
    assert not any(module.training for module in first.modules())


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_may_be_short_or_single(batch_size):
    net = network()
    recompute_statistics(net, INPUTS, batch_size, DEVICE)
    assert all(value.isfinite().all() for value in net.state_dict().values())


def test_other_norms_are_unchanged():
    net = network(normalization="instance")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    recompute_statistics(net, INPUTS, 4, DEVICE)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_few_images_are_read_evenly_spread(monkeypatch):
    monkeypatch.setattr(averaging, "PAIRS", 2)
    one, other = network(), network()
    recompute_statistics(one, INPUTS, 4, DEVICE)
    recompute_statistics(other, np.stack([INPUTS[0], INPUTS[4]]), 4, DEVICE)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
