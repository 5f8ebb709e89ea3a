import numpy as np
import pytest
from PIL import Image, ImageEnhance

from image_translation.imaging.image_stats import correlate_edges, measure_image


def scene(seed: int, size: tuple[int, int] = (90, 70)) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()


class TestHash:
    @pytest.mark.parametrize(
        "change",
        [
            lambda image: image.resize((45, 35)),
            lambda image: image.resize((180, 180)),
            lambda image: ImageEnhance.Brightness(image).enhance(0.9),
            lambda image: image.convert("L"),
        ],
    )
    def test_is_stable_under_changes_that_keep_the_scene(self, change):
        image = scene(0)
        assert (
            distance(measure_image(image).hash, measure_image(change(image)).hash) <= 4
        )

    def test_differs_between_scenes(self):
        hashes = [measure_image(scene(seed)).hash for seed in range(10)]
        distances = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
        assert min(distances) > 12

    def test_mirrored_hash_is_the_hash_of_the_mirrored_image(self):
        image = scene(0)
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        assert (
            distance(measure_image(image).mirrored_hash, measure_image(mirrored).hash)
            <= 2
        )
        assert distance(measure_image(image).hash, measure_image(mirrored).hash) > 12


def test_statistics_of_a_known_image():
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = (200, 100, 100)
    look = measure_image(Image.fromarray(half))
    grey = 0.299 * 200 + 0.701 * 100
    assert look.lightness == pytest.approx(grey / 2, abs=1)
    assert look.contrast == pytest.approx(grey / 2, abs=1)
    assert look.chroma == 50
    assert look.strongest_chroma == 100
    assert look.thumbnail.shape == (16, 16, 3)
    # a Sobel filter sums to 4 over a step, seen by two of 64 columns
    assert look.detail == pytest.approx(4 * grey * 2 / 64, rel=0.02)


class TestCorrelateEdges:
    def test_is_near_one_for_an_image_and_its_colours(self):
        image = scene(0)
        assert correlate_edges(image, image) == pytest.approx(1)
        assert correlate_edges(image, image.convert("L")) > 0.99

    def test_is_near_zero_for_two_scenes(self):
        found = [correlate_edges(scene(s), scene(s + 100)) for s in range(20)]
        assert abs(np.mean(found)) < 0.15

    def test_decreases_with_a_shift(self):
        image = scene(0)
        moved = Image.fromarray(np.roll(np.asarray(image), 9, axis=1))
        assert correlate_edges(image, moved) < 0.6

    def test_is_zero_for_a_flat_image(self):
        flat = Image.new("RGB", (20, 20), (5, 5, 5))
        assert correlate_edges(flat, scene(0)) == 0
