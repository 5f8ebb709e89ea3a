import numpy as np
import pytest
import torch

from image_translation.training.batches import Batches
from image_translation.training.devices import Device
from image_translation.training.plan import plan_epoch
from tests.training.conftest import make_pairs, make_settings

DEVICE = Device("cpu", "fp32")


def batches(pairs, rank=0, world=1, device=DEVICE, **changes):
    training = make_settings(training__batch_size=4, **changes).training
    return Batches(pairs, training, 0, device, rank, world)


def test_values_and_shapes():
    inputs, targets, total, weight, is_last = next(batches(make_pairs(6)).epoch(1))
    assert inputs.shape == targets.shape == (4, 3, 32, 32)
    assert (total, weight, is_last) == (4, 1, True)
    assert inputs.dtype == torch.float32
    assert -1 <= inputs.min() < inputs.max() <= 1
    torch.testing.assert_close(inputs, -targets, atol=1e-6, rtol=0)


def enlarge(image, size):
    """H×H×3 to size×size×3, bilinear, pixel centres aligned, in float64."""
    old = len(image)
    centres = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    low = np.floor(centres).astype(int)
    weights = np.zeros((size, old))
    weights[np.arange(size), low] += 1 - (centres - low)
    weights[np.arange(size), np.minimum(low + 1, old - 1)] += centres - low
    return np.einsum("ya,abc,xb->yxc", weights, image.astype(float), weights)


def test_augmented_values_are_exact_up_to_float_rounding():
    pairs = make_pairs(4)
    plan = plan_epoch(4, 0, 1)
    inputs = next(batches(pairs).epoch(1)).inputs
    for number, position in enumerate(plan.order.tolist()):
        enlarged = enlarge(pairs.inputs[position], 36)  # 32 * 1.117
        top, left = (plan.offsets[number] * 5).long().tolist()
        expected = enlarged[top : top + 32, left : left + 32] / 127.5 - 1
        if plan.flips[number]:
            expected = expected[:, ::-1]
        found = inputs[number].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_see_the_same_values():
    on_gpu = batches(make_pairs(6), device=Device("cuda", "tf32")).epoch(1)
    for ours, theirs in zip(batches(make_pairs(6)).epoch(1), on_gpu, strict=True):
        for a, b in zip(ours[:2], theirs[:2], strict=True):
            torch.testing.assert_close(a, b.cpu(), atol=2e-6, rtol=0)


def test_epoch_can_begin_in_the_middle():
    whole = list(batches(make_pairs(10)).epoch(2))
    rest = list(batches(make_pairs(10)).epoch(2, start=1))
    assert [len(batch.inputs) for batch in whole] == [4, 4, 2]
    for a, b in zip(whole[1:], rest, strict=True):
        assert torch.equal(a.inputs, b.inputs)


def test_batches_of_a_group_share_a_step():
    found = list(batches(make_pairs(10), training__accumulate=2).epoch(1))
    assert [batch.weight for batch in found] == [4 / 8, 4 / 8, 2 / 2]
    assert [batch.is_last for batch in found] == [False, True, True]
    rest = list(batches(make_pairs(10), training__accumulate=2).epoch(1, start=1))
    assert [(b.weight, b.is_last) for b in rest] == [(4 / 8, True), (2 / 2, True)]


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_every_batch(world):
    pairs = make_pairs(6)
    whole = list(batches(pairs).epoch(1))
    parts = [list(batches(pairs, rank, world).epoch(1)) for rank in range(world)]
    for number, (inputs, _, total, *_) in enumerate(whole):
        own = [part[number] for part in parts]
        counts = [len(batch.inputs) if batch.weight else 0 for batch in own]
        assert sum(counts) == len(inputs)
        assert {batch.total for batch in own} == {total}
        assert sum(batch.weight for batch in own) == pytest.approx(world)
        together = torch.empty_like(inputs)
        for rank, batch in enumerate(own):
            together[rank::world] = batch.inputs[: counts[rank]]
        assert torch.equal(together, inputs)


def test_smaller_budget_sees_the_chosen_pairs_alone():
    pairs = make_pairs(7)
    few = batches(pairs, training__pairs=3, training__jitter=1, training__flip=False)
    ((inputs, _, total, *_),) = few.epoch(1)
    assert total == len(inputs) == 3 and len(few) == 1
    seen = ((inputs.permute(0, 2, 3, 1) + 1) * 127.5).round()  # (3, 32, 32, 3)
    for chosen in torch.from_numpy(pairs.inputs[[0, 2, 4]]):
        assert (seen == chosen).all(dim=(1, 2, 3)).sum() == 1
