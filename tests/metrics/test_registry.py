"""Registry of metrics, scoring in batches, and formatted values."""

import numpy as np
import pandas as pd
import pytest

from image_translation.metrics import (
    HEADLINES,
    METRICS,
    for_means,
    format_value,
    mse,
    psnr,
    score_images,
    score_stream,
    ssim,
)
from image_translation.metrics.chunks import pair_batches

RANDOM = np.random.default_rng(0)
PREDICTIONS, TARGETS = RANDOM.integers(0, 256, (2, 7, 16, 16, 3), dtype=np.uint8)


def test_scores_have_a_column_per_metric():
    scores = score_images(PREDICTIONS, TARGETS)
    assert list(scores) == list(METRICS)
    for name, function in (("mse", mse), ("psnr", psnr), ("ssim", ssim)):
        np.testing.assert_array_equal(scores[name], function(PREDICTIONS, TARGETS))


def test_headlines_are_the_metrics_of_the_study():
    assert HEADLINES == ("mse", "psnr", "ssim")
    assert set(HEADLINES) <= set(METRICS)


def test_entries_are_complete():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.label and metric.definition.endswith(".") and metric.source
        assert metric.range[0] < metric.range[1]
    assert METRICS["psnr"].title == "PSNR (dB)"
    assert METRICS["ssim"].title == "SSIM"
    with pytest.raises(TypeError):
        METRICS["mse"] = METRICS["psnr"]  # type: ignore[index]


@pytest.mark.parametrize("sizes", [[7], [3, 4], [1] * 7, [0, 5, 2]])
def test_scores_do_not_depend_on_batches(sizes):
    batches = iter(np.split(PREDICTIONS, np.cumsum(sizes)[:-1]))
    pd.testing.assert_frame_equal(
        score_stream(batches, TARGETS), score_images(PREDICTIONS, TARGETS)
    )


def test_no_batches_for_no_targets_give_an_empty_table():
    scores = score_stream(iter([]), TARGETS[:0])
    assert scores.empty
    assert list(scores) == list(METRICS)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([PREDICTIONS[:5]], "5 predictions for 7"),
        ([PREDICTIONS] * 2, "more predictions"),
    ],
)
def test_wrong_number_of_predictions_is_rejected(batches, message):
    with pytest.raises(ValueError, match=message):
        score_stream(batches, TARGETS)


def test_each_batch_comes_with_its_targets():
    batches = iter(np.split(PREDICTIONS, [3, 3]))
    pairs = list(pair_batches(batches, TARGETS))
    assert [len(batch) for batch, _ in pairs] == [3, 0, 4]
    for part, images in enumerate((PREDICTIONS, TARGETS)):
        np.testing.assert_array_equal(
            np.concatenate([pair[part] for pair in pairs]), images
        )


def test_infinite_psnr_counts_as_100_decibels():
    values = for_means("psnr", [20, np.inf, 101, np.nan])
    np.testing.assert_array_equal(values, [20, 100, 100, np.nan])


def test_other_metrics_are_not_clipped():
    np.testing.assert_array_equal(for_means("mse", [0.5, np.nan]), [0.5, np.nan])


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("psnr", 23.456, "23.46 dB"),
        ("psnr", np.inf, "∞ dB"),
        ("psnr", -np.inf, "-∞ dB"),
        ("ssim", 0.94149, "0.941"),
        ("mse", 0.0123456, "0.01235"),
        ("mse", np.nan, "–"),
        ("psnr", np.nan, "–"),
    ],
)
def test_values_are_formatted(metric, value, text):
    assert format_value(metric, value) == text
