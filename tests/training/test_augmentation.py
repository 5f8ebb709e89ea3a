from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.training.augmentation import augment, change_tone
from image_translation.training.plan import plan_epoch


def images(count=3, size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator).float()


def plan(count, seed=0):
    """What happens to images that come in their own order."""
    drawn = plan_epoch(count, seed, 1)
    return replace(drawn, order=torch.arange(count))


def test_without_jitter_and_flip_nothing_changes():
    a = images()
    assert torch.equal(augment(a, plan(3), jitter=1, flip=False), a)


def test_same_plan_augments_input_and_target_alike():
    a = images(8)
    one, other = (augment(x, plan(8), jitter=1.2, flip=True) for x in (a, -a))
    torch.testing.assert_close(one, -other)


def test_another_plan_gives_another_result():
    a = images(8)
    first, second, other = (
        augment(a, plan(8, seed), jitter=1.2, flip=True) for seed in (5, 5, 6)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_shape_stays_and_levels_are_not_rounded():
    changed = augment(images(8, size=32), plan(8), jitter=1.117, flip=True)
    assert changed.shape == (8, 3, 32, 32)
    assert changed.dtype == torch.float32
    assert (changed != changed.round()).float().mean() > 0.9


def test_flip_mirrors_about_half_of_the_images_left_to_right():
    a = images(64)
    flipped = augment(a, plan(64), jitter=1, flip=True)
    is_same = (flipped == a).flatten(1).all(1)
    is_mirrored = (flipped == a.flip(-1)).flatten(1).all(1)
    assert (is_same ^ is_mirrored).all()
    assert 20 <= is_mirrored.sum() <= 44


def test_crop_is_a_part_of_the_enlarged_image():
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    a = torch.from_numpy(levels).permute(2, 0, 1)[None].float()
    cropped = augment(a, plan(1, 1), jitter=36 / 32, flip=False)
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
    cropped = augment(ramp, plan(400), jitter=enlarged / size, flip=False)
    assert len({round(value, 4) for value in cropped[:, 0, 0, 0].tolist()}) == 3


class TestRandomJitter:
    def zoomed(self, images, drawn, jitter=2.0):
        return augment(images, drawn, jitter=jitter, flip=False, random_jitter=True)

    def drawn(self, zooms, offsets):
        return replace(
            plan(len(zooms)), zooms=torch.tensor(zooms), offsets=torch.tensor(offsets)
        )

    def test_each_image_is_enlarged_by_its_own_factor(self):
        """Against Pillow's bilinear crop of a part; at zoom 0 nothing changes."""
        levels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
        a = torch.from_numpy(levels).permute(0, 3, 1, 2).float()
        drawn = self.drawn([0.0, 0.6, 1.0], [[0.3, 0.9], [0.0, 1.0], [0.5, 0.25]])
        found = self.zoomed(a, drawn)
        torch.testing.assert_close(found[0], a[0], atol=1e-3, rtol=0)
        for number, (zoom, (down, right)) in (
            (1, (0.6, (0, 1))),
            (2, (1, (0.5, 0.25))),
        ):
            side = 16 / (1 + zoom)
            top, left = down * (16 - side), right * (16 - side)
            box = (left, top, left + side, top + side)
            image = Image.fromarray(levels[number])
            expected = image.resize((16, 16), Image.Resampling.BILINEAR, box)
            inner = np.s_[1:-1, 1:-1]  # Pillow has no pixels outside of the box
            difference = found[number].permute(1, 2, 0).numpy() - np.asarray(expected)
            assert np.abs(difference[inner]).max() <= 1  # Pillow rounds twice

    def test_pairs_stay_aligned_and_shapes_stay(self):
        a = images(8, size=32)
        one, other = (self.zoomed(x, plan(8), 1.5) for x in (a, -a))
        torch.testing.assert_close(one, -other)
        assert one.shape == a.shape
        assert one.is_contiguous(memory_format=torch.channels_last)

    def test_without_jitter_nothing_changes(self):
        a = images(4)
        torch.testing.assert_close(self.zoomed(a, plan(4), 1.0), a, atol=1e-3, rtol=0)


class TestTone:
    WEIGHTS = torch.tensor(LUMA_WEIGHTS).float()[:, None, None]
    CLOSE = {"rtol": 1e-4, "atol": 1e-3}

    def drawn(self, *tones):
        return replace(plan(len(tones)), tones=torch.tensor(tones))

    def luma(self, images):
        return (self.WEIGHTS * images).sum(dim=1, keepdim=True)

    def soft(self):
        """Colours far inside the gamut, where nothing is clipped."""
        return 100 + images(2) / 10

    def test_luma_gets_an_exponent_and_chroma_stays(self):
        a = self.soft()
        drawn = self.drawn((1.0, 0.0), (-0.5, 0.0))
        found = change_tone(a, drawn, gamma=1.5, chroma=0)
        for number, exponent in ((0, 1.5), (1, 1.5**-0.5)):
            expected = 255 * (self.luma(a)[number] / 255) ** exponent
            torch.testing.assert_close(self.luma(found)[number], expected, **self.CLOSE)
        torch.testing.assert_close(
            found - self.luma(found), a - self.luma(a), **self.CLOSE
        )

    def test_chroma_gets_a_factor_and_luma_stays(self):
        a = self.soft()
        found = change_tone(a, self.drawn((0.0, 1.0), (0.0, -0.5)), gamma=1, chroma=0.4)
        torch.testing.assert_close(self.luma(found), self.luma(a), **self.CLOSE)
        factors = torch.tensor([1.4, 0.8])[:, None, None, None]
        torch.testing.assert_close(
            found - self.luma(found),
            factors * (a - self.luma(a)),
            **self.CLOSE,
        )

    def test_grey_input_stays_the_luma_of_its_target(self):
        target = self.soft()
        grey = self.luma(target).repeat(1, 3, 1, 1)
        one, other = (
            change_tone(x, plan(2), gamma=1.5, chroma=0.5) for x in (grey, target)
        )
        torch.testing.assert_close(one[:, :1], self.luma(other), **self.CLOSE)
        assert (one - grey).abs().max() > 1

    def test_values_stay_in_range(self):
        found = change_tone(images(16), plan(16), gamma=2, chroma=1)
        assert 0 <= found.min()
        assert found.max() <= 255

    def test_neither_changes_nothing(self):
        a = images()
        assert change_tone(a, plan(3), gamma=1, chroma=0) is a
