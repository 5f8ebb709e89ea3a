import torch

from image_translation.training.plan import choose_pairs, plan_epoch


def test_every_pair_comes_once():
    assert sorted(plan_epoch(50, 0, 1).order.tolist()) == list(range(50))


def test_seed_and_epoch_decide():
    same = [plan_epoch(20, 3, 2) for _ in range(2)]
    assert torch.equal(same[0].order, same[1].order)
    assert torch.equal(same[0].offsets, same[1].offsets)
    others = [plan_epoch(20, 3, 3), plan_epoch(20, 4, 2)]
    assert all(not torch.equal(same[0].order, other.order) for other in others)


def test_slice_applies_to_all_fields():
    whole = plan_epoch(10, 0, 1)
    part = whole[2:5]
    assert torch.equal(part.order, whole.order[2:5])
    assert torch.equal(part.offsets, whole.offsets[2:5])
    assert torch.equal(part.flips, whole.flips[2:5])
    assert torch.equal(part.zooms, whole.zooms[2:5])


def test_chosen_pairs_are_spread_over_all():
    assert choose_pairs(10, 4).tolist() == [0, 2, 5, 7]
    assert choose_pairs(5, None).tolist() == choose_pairs(5, 9).tolist() == [*range(5)]
