import numpy as np
import pytest
import torch
from PIL import Image

from image_translation.training.augmentation import augment


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=3, size=16, seed=0):
    return torch.rand(count, 3, size, size, generator=chance(seed)) * 2 - 1


def test_without_jitter_and_flip_nothing_changes():
    a, b = images(), images(seed=1)
    inputs, targets = augment(a, b, jitter=1, flip=False, generator=chance())
    assert torch.equal(inputs, a)
    assert torch.equal(targets, b)


def test_input_and_target_change_alike():
    a = images(8)
    inputs, targets = augment(a, -a, jitter=1.2, flip=True, generator=chance())
    assert torch.equal(inputs, -targets)


def test_same_seed_gives_the_same():
    a = images(8)
    first, _ = augment(a, a, jitter=1.2, flip=True, generator=chance(5))
    second, _ = augment(a, a, jitter=1.2, flip=True, generator=chance(5))
    other, _ = augment(a, a, jitter=1.2, flip=True, generator=chance(6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_shape_and_range_stay():
    a = images(8, size=32)
    inputs, _ = augment(a, a, jitter=1.117, flip=True, generator=chance())
    assert inputs.shape == a.shape
    assert inputs.abs().max() <= 1


def test_flip_mirrors_about_half_of_the_images_left_to_right():
    a = images(64)
    flipped, _ = augment(a, a, jitter=1, flip=True, generator=chance())
    is_same = (flipped == a).flatten(1).all(1)
    is_mirrored = (flipped == a.flip(-1)).flatten(1).all(1)
    assert (is_same ^ is_mirrored).all()
    assert 20 <= is_mirrored.sum() <= 44


def test_crop_is_a_part_of_the_enlarged_image():
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    a = torch.from_numpy(levels).permute(2, 0, 1)[None].float()
    cropped, _ = augment(a, a, jitter=36 / 32, flip=False, generator=chance(1))
    enlarged = np.stack(
        [
            np.asarray(
                Image.fromarray(levels[:, :, channel].astype(np.float32)).resize(
                    (36, 36), Image.Resampling.BILINEAR
                )
            )
            for channel in range(3)
        ]
    )
    errors = [
        np.abs(enlarged[:, top : top + 32, left : left + 32] - cropped[0].numpy()).max()
        for top in range(5)
        for left in range(5)
    ]
    assert sorted(errors)[0] < 1e-2 < sorted(errors)[1]


@pytest.mark.parametrize("edge", ["top", "left"])
def test_every_offset_is_drawn(edge):
    size, enlarged = 8, 10
    ramp = torch.arange(size, dtype=torch.float32).expand(400, 3, size, size)
    if edge == "top":
        ramp = ramp.transpose(2, 3)
    cropped, _ = augment(
        ramp, ramp, jitter=enlarged / size, flip=False, generator=chance()
    )
    assert len({round(value, 4) for value in cropped[:, 0, 0, 0].tolist()}) == 3
