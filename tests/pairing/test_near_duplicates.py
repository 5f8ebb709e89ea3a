from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from image_translation.imaging.image_stats import ImageStats, measure_image
from image_translation.pairing.near_duplicates import (
    MAX_DISTANCE,
    find_near_duplicates,
)


def scene(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((80, 80), Image.Resampling.BICUBIC)


def test_near_duplicates_are_found_despite_changes():
    images = [scene(seed) for seed in range(30)]
    images.append(images[3].resize((40, 40)))
    images.append(images[7].transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    images.append(images[9].crop((1, 1, 80, 80)))
    found = find_near_duplicates([measure_image(image) for image in images])
    assert found == [(3, 30), (7, 31), (9, 32)]


def test_same_structure_in_other_colours_is_not_a_near_duplicate():
    image = np.asarray(scene(0))
    other = Image.fromarray(np.roll(image, 1, axis=2))
    looks = [measure_image(Image.fromarray(image)), measure_image(other)]
    assert find_near_duplicates(looks) == []


def test_flat_images_are_not_near_duplicates():
    flat = measure_image(Image.new("RGB", (20, 20), (90, 90, 90)))
    assert find_near_duplicates([flat] * 5) == []


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(count):
    assert find_near_duplicates([measure_image(scene(0))] * count) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_bands_find_all_near_duplicates(seed, count):
    random = np.random.default_rng(seed)
    base = int(random.integers(0, 2**63))
    thumbnail = np.zeros((16, 16, 3), np.uint8)
    hashes = []
    for _ in range(count):
        bits = random.choice(64, size=random.integers(0, 7), replace=False)
        hashes.append(base ^ sum(1 << int(bit) for bit in bits))
    far = 2**64 - 1 - base
    looks = [ImageStats(h, far ^ 0xF0F0, thumbnail, 0, 50, 0, 0, 0) for h in hashes]
    expected = [
        (one, other)
        for one, other in combinations(range(count), 2)
        if (hashes[one] ^ hashes[other]).bit_count() <= MAX_DISTANCE
    ]
    assert find_near_duplicates(looks) == expected
