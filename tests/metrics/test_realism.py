"""Distances between sets compared with SciPy and with hand-computed cases."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import wasserstein_distance
from skimage import color, data

from image_translation.metrics import (
    SET_METRICS,
    realism,
    score_sets,
    set_contributions,
    set_floor,
    sliced_wasserstein,
)
from image_translation.metrics.realism import (
    BINS,
    PATCH,
    SET_FLOOR_COLUMNS,
    SET_SCORE_COLUMNS,
    _choose_corners,
    _expand,
    _integrals,
    _laplacian_pyramid,
    _log_spectra,
    _projector,
    _reduce,
    _swd,
    set_metrics,
    swd_levels,
)


def photographs(count=24, size=64, seed=0):
    """Random crops of photographs."""
    chance = np.random.default_rng(seed)
    photos = [data.astronaut(), data.coffee()[:400, :600], data.chelsea()]
    crops = []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (chance.integers(0, side - size) for side in photo.shape[:2])
        crops.append(photo[top : top + size, left : left + size])
    return np.stack(crops)


def textures(count, size=32, seed=0):
    """Images of one distribution: noise at several scales with random tints."""
    chance = np.random.default_rng(seed)
    noise = sum(
        ndimage.gaussian_filter(
            chance.normal(0, 30 * scale, (count, size, size, 3)), (0, scale, scale, 0)
        )
        for scale in (1, 2, 4)
    )
    tints = chance.normal(128, 20, (count, 1, 1, 3))
    return np.clip(noise + tints, 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def few_directions(monkeypatch):
    monkeypatch.setattr(realism, "PROJECTIONS", 16)
    monkeypatch.setattr(realism, "PATCHES_A_LEVEL", 2**11)


def distances(predictions, targets, groups=None):
    groups = np.arange(len(targets)) if groups is None else groups
    return score_sets([predictions], targets, groups).set_index("metric")


TARGETS = photographs()
BLURRED = ndimage.gaussian_filter(TARGETS, (0, 1, 1, 0))
TINTED = np.clip(TARGETS * np.array([1.1, 1, 0.9]), 0, 255).astype(np.uint8)


def test_every_distance_is_registered():
    table = distances(BLURRED, TARGETS)
    names = ["swd", "swd_64", "swd_32", "swd_16", "spectrum_distance"]
    assert list(table.index) == [*names, "histogram_distance"] == set_metrics(64)
    assert set(table.index) <= set(SET_METRICS)


def test_equal_sets_have_no_distance():
    table = distances(TARGETS, TARGETS)
    np.testing.assert_array_equal(table[["value", "ci_low", "ci_high"]], 0)


def test_order_within_the_sets_does_not_matter_to_the_plain_distance():
    # Thousandths in float32, whose sums depend on the order that a machine adds in.
    assert sliced_wasserstein([TARGETS[::-1]], TARGETS) == pytest.approx(0, abs=1e-3)


def test_blur_is_detected_at_the_finest_level_and_not_in_the_colours():
    blurred, tinted = distances(BLURRED, TARGETS), distances(TINTED, TARGETS)
    assert blurred["value"]["swd_64"] > 5 * blurred["value"]["swd_16"]
    assert tinted["value"]["swd_16"] > 5 * tinted["value"]["swd_64"]
    assert blurred["value"]["spectrum_distance"] > 1
    assert tinted["value"]["spectrum_distance"] < 0.5
    assert tinted["value"]["histogram_distance"] > 2
    assert blurred["value"]["histogram_distance"] < 1


def test_noise_is_detected_at_the_finest_level():
    noise = np.random.default_rng(0).normal(0, 12, TARGETS.shape)
    noisy = np.clip(TARGETS + noise, 0, 255).astype(np.uint8)
    assert distances(noisy, TARGETS)["value"]["swd_64"] > 50


def test_batches_form_one_set():
    whole = distances(BLURRED, TARGETS)
    groups = np.arange(len(TARGETS))
    parts = score_sets(iter([BLURRED[:5], BLURRED[5:]]), TARGETS, groups)
    np.testing.assert_allclose(parts.set_index("metric"), whole, rtol=1e-6)


def test_uncorrected_swd_of_a_large_distance_is_close_to_the_corrected_one():
    value = sliced_wasserstein([BLURRED[:7], BLURRED[7:]], TARGETS)
    assert value == pytest.approx(distances(BLURRED, TARGETS)["value"]["swd"], rel=0.1)


def test_swd_is_the_mean_of_its_levels():
    table = distances(BLURRED, TARGETS)["value"]
    levels = [table[f"swd_{size}"] for size in (64, 32, 16)]
    assert table["swd"] == pytest.approx(np.mean(levels))


def test_distance_along_a_direction_equals_scipy():
    chance = np.random.default_rng(0)
    a, b = chance.normal(0, 1, (40, 3)), chance.normal(0.3, 2, (40, 3))
    expected = [wasserstein_distance(a[:, j], b[:, j]) for j in range(3)]
    assert _swd(a, b) == pytest.approx(1000 * np.mean(expected))


def test_integrals_of_separate_sets_equal_scipy():
    chance = np.random.default_rng(0)
    a, b = chance.normal(0, 1, (600, 2)), chance.normal(9, 2, (600, 2))
    codes = np.repeat(np.arange(3), 100)  # of two patches each
    for j, (ours, theirs) in enumerate(_integrals([a, b], codes)):
        assert ours.shape == (3, BINS)
        found = np.abs((ours - theirs).mean(axis=0)).sum()
        assert found == pytest.approx(wasserstein_distance(a[:, j], b[:, j]), rel=1e-3)


def test_patches_are_normalised_by_the_targets():
    chance = np.random.default_rng(0)
    targets = chance.normal(5, 3, (20, 4, 3, PATCH, PATCH))
    project = _projector(targets)
    a, b = project(targets * 2 - 5), project(targets)
    assert b.std() == pytest.approx(1, abs=0.1)
    assert a.std() == pytest.approx(2 * b.std(), rel=1e-3)


def test_few_images_use_all_patches_once():
    rows, columns = _choose_corners(4, 99, np.random.default_rng(0))
    assert sorted(zip(rows, columns, strict=True)) == [
        (row, column) for row in range(4) for column in range(4)
    ]
    rows, _ = _choose_corners(10, 7, np.random.default_rng(0))
    assert len(rows) == 7


@pytest.mark.parametrize("size", [64, 33])
def test_pyramid_equals_that_of_karras(size):
    images = TARGETS[:2, :size, :size].astype(np.float32)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    smooth = ndimage.convolve1d(images.astype(float), kernel, axis=1, mode="mirror")
    np.testing.assert_allclose(_reduce(images, 1), smooth[:, ::2], rtol=1e-5)
    small = images[:, ::2]
    wide = np.zeros(images.shape)
    wide[:, ::2] = small
    wide = ndimage.convolve1d(wide, 2 * kernel, axis=1, mode="mirror")
    np.testing.assert_allclose(_expand(small, 1, size), wide, rtol=1e-5)


@pytest.mark.parametrize(("size", "last_size"), [(64, 16), (37, 19)])
def test_bands_sum_to_the_image(size, last_size):
    planes = np.moveaxis(TARGETS[:2, :size, :size], -1, 1).astype(np.float32)
    *bands, last = _laplacian_pyramid(planes)
    assert last.shape[2:] == (last_size, last_size)
    for band in reversed(bands):
        side = band.shape[2]
        last = band + _expand(_expand(last, 2, side), 3, side)
    np.testing.assert_allclose(last, planes, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "levels"),
    [(256, [256, 128, 64, 32, 16]), (32, [32, 16]), (16, [16]), (67, [67, 34, 17])],
)
def test_levels_go_down_to_16_pixels(size, levels):
    assert swd_levels(size) == levels


def test_wave_has_its_power_at_its_frequency():
    columns = np.arange(64)
    wave = np.cos(2 * np.pi * 5 * columns / 64, dtype=np.float32)
    spectrum = _log_spectra(np.broadcast_to(wave, (1, 64, 64)))[0]
    assert spectrum.argmax() == 4  # of frequencies from 1
    size = 64
    power = np.abs(np.fft.fft2(np.broadcast_to(wave, (64, 64)))) ** 2 / size**4
    rows = np.fft.fftfreq(size, 1 / size)
    rings = np.hypot(rows[:, None], rows).round()
    assert spectrum[4] == pytest.approx(10 * np.log10(power[rings == 5].mean()))


def test_spectrum_distance_of_dimmed_images_equals_the_dimming_in_decibels():
    dark = (TARGETS.astype(float) / 2).round().astype(np.uint8)
    value = distances(dark, TARGETS)["value"]["spectrum_distance"]
    assert value == pytest.approx(20 * np.log10(2), abs=0.1)


def test_histogram_distance_equals_scipy_on_lab():
    labs = [color.rgb2lab(side).reshape(-1, 3) for side in (TINTED, TARGETS)]
    expected = [wasserstein_distance(labs[0][:, c], labs[1][:, c]) for c in range(3)]
    value = distances(TINTED, TARGETS)["value"]["histogram_distance"]
    assert value == pytest.approx(np.mean(expected), abs=0.1)


def test_interval_contains_the_value_and_narrows_with_groups():
    widths = []
    for count in (12, 96):
        targets = photographs(count)
        blurred = ndimage.gaussian_filter(targets, (0, 1, 1, 0))
        table = distances(blurred, targets)
        assert (table["ci_low"] <= table["value"]).all()
        assert (table["ci_high"] >= table["value"]).all()
        widths.append((table["ci_high"] - table["ci_low"])["swd"])
    assert widths[1] < widths[0] / 2


def test_crops_of_few_photographs_widen_the_interval():
    groups = np.arange(len(TARGETS))
    single = distances(BLURRED, TARGETS, groups)
    grouped = distances(BLURRED, TARGETS, groups % 3)
    widths = [(t["ci_high"] - t["ci_low"])["swd"] for t in (single, grouped)]
    assert widths[1] > widths[0]
    assert list(grouped["n_groups"].unique()) == [3]
    assert list(grouped["n_images"].unique()) == [len(TARGETS)]


def test_images_of_one_distribution_have_expected_distance_0():
    tables = [
        distances(textures(15, seed=2 * k), textures(15, seed=2 * k + 1))
        for k in range(16)
    ]
    for metric in ("swd", "spectrum_distance", "histogram_distance"):
        values = np.array([table["value"][metric] for table in tables])
        floors = np.array([table["floor"][metric] for table in tables])
        assert abs(values.mean()) < 3 * values.std(ddof=1) / 4
        assert abs(values.mean()) < floors.mean() / 2
        covered = [t["ci_low"][metric] <= 0 <= t["ci_high"][metric] for t in tables]
        assert np.mean(covered) >= 0.8


def test_contributions_average_to_the_distances_with_one_value_per_group():
    groups = np.arange(24) // np.array([1, 2] * 12)
    table = set_contributions([BLURRED], TARGETS, groups)
    assert len(table) == 24
    assert (table.groupby(groups).nunique() == 1).all(axis=None)
    expected = distances(BLURRED, TARGETS, groups)
    np.testing.assert_allclose(table.mean(), expected["value"])


def test_difference_of_two_models_has_a_smaller_error_than_each_distance():
    softer = ndimage.gaussian_filter(TARGETS, (0, 1.1, 1.1, 0))
    one, two = (
        set_contributions([side], TARGETS, range(24))["swd"]
        for side in (BLURRED, softer)
    )
    assert (two - one).std() < one.std() / 2
    assert (two - one).mean() > 0


def test_floor_falls_with_the_number_of_images():
    few, many = (set_floor(textures(n), range(n)) for n in (8, 32))
    assert list(few) == SET_FLOOR_COLUMNS
    assert (many["floor"] < few["floor"]).all()
    assert set(many["n_images"]) == set(many["n_groups"]) == {32}
    table = score_sets([textures(8, seed=1)], textures(8), range(8))
    np.testing.assert_array_equal(table["floor"], few["floor"])


def test_one_group_has_no_distance():
    table = distances(BLURRED, TARGETS, np.zeros(len(TARGETS)))
    assert table[["value", "ci_low", "ci_high", "floor"]].isna().all(axis=None)
    assert (table["n_images"] == 24).all()


def test_no_images_give_no_rows():
    table = score_sets(iter([]), TARGETS[:0], [])
    assert table.empty
    assert list(table) == SET_SCORE_COLUMNS
    assert np.isnan(sliced_wasserstein([], TARGETS[:0]))
    assert set_floor(TARGETS[:0], []).empty
    empty = set_contributions(iter([]), TARGETS[:0], [])
    assert empty.empty and list(empty) == set_metrics(64)


@pytest.mark.parametrize(
    ("predictions", "groups", "message"),
    [
        ([BLURRED[:5]], np.arange(24), "5 predictions for 24"),
        ([BLURRED] * 2, np.arange(24), "more predictions"),
        ([BLURRED], np.arange(23), "23 groups for 24"),
    ],
)
def test_mismatched_sets_are_rejected(predictions, groups, message):
    with pytest.raises(ValueError, match=message):
        score_sets(predictions, TARGETS, groups)
