import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from image_translation.reporting.gallery import (
    choose_encoder,
    choose_gallery,
    describe_choice,
    describe_encoder,
    jpeg_data_uri,
    png_data_uri,
)


def table(psnr: dict[str, float], replicate: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair_id": list(psnr),
            "group": [pair[0] for pair in psnr],
            "replicate": replicate,
            "psnr": list(psnr.values()),
        }
    )


@pytest.fixture
def scores() -> dict[str, pd.DataFrame]:
    return {
        "a": table({"k1": 20.0, "k2": 30.0, "l1": 24.0, "l2": 10.0, "m1": 30.0}),
        "b": table({"k1": 20.5, "k2": 31.0, "l1": 24.5, "l2": 11.0, "m1": 15.0}),
        "copy_input": table(dict.fromkeys(["k1", "k2", "l1", "l2", "m1"], 99.0)),
    }


def test_typical_best_worst_and_disputed_come_first(scores):
    chosen = choose_gallery(scores, 4)
    assert [pair for pair, _ in chosen[:3]] == ["m1", "k2", "l2"]
    whys = dict(chosen)
    assert whys["m1"].startswith("Typical") and "15.0 dB apart" in whys["m1"]
    assert "30.5 dB" in whys["k2"]
    assert whys["l2"].startswith("Worst")
    assert chosen[3][1].startswith("Drawn at random")


def test_baselines_do_not_affect_the_selection(scores):
    without = {model: rows for model, rows in scores.items() if model != "copy_input"}
    assert choose_gallery(scores, 5) == choose_gallery(without, 5)


def test_only_the_replicate_with_images_counts(scores):
    more = {**scores, "a": pd.concat([scores["a"], table({"k1": 90.0}, 1)])}
    assert choose_gallery(more, 4) == choose_gallery(scores, 4)


def test_order_of_rows_does_not_matter(scores):
    shuffled = {
        model: rows.sample(frac=1, random_state=1) for model, rows in scores.items()
    }
    assert choose_gallery(shuffled, 5) == choose_gallery(scores, 5)


def test_number_of_images_is_limited(scores):
    assert len(choose_gallery(scores, 2)) == 2
    assert len(choose_gallery(scores, 50)) == 5
    assert len({pair for pair, _ in choose_gallery(scores, 50)}) == 5


def test_infinite_psnr_can_be_best(scores):
    perfect = table({"k1": np.inf, "k2": 30.0, "l1": 24.0, "l2": 10.0, "m1": 30.0})
    best = dict(choose_gallery({"a": perfect}, 5))["k1"]
    assert "100.0 dB" in best


def test_drawn_images_alternate_between_photographs():
    many = {f"{group}{i}": 20.0 for group in "klm" for i in range(10)}
    drawn = [pair for pair, why in choose_gallery({"a": table(many)}, 6)]
    assert {pair[0] for pair in drawn} == {"k", "l", "m"}


def test_gallery_without_scores_is_empty():
    assert choose_gallery({}, 4) == []


def test_embedded_image_is_exact():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    address = png_data_uri(image)
    assert address.startswith("data:image/png;base64,")
    read = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    np.testing.assert_array_equal(np.asarray(read), image)


def test_large_galleries_are_mostly_random():
    many = {f"k{i:03d}": 20 + 0.01 * i for i in range(200)}
    other = {pair: value + (int(pair[1:]) % 7) for pair, value in many.items()}
    whys = [why for _, why in choose_gallery({"a": table(many), "b": table(other)}, 48)]
    assert len(whys) == 48
    assert sum("best: the" in why.lower() for why in whys) == 6
    assert sum("worst: the" in why.lower() for why in whys) == 6
    assert sum("most disputed: the" in why.lower() for why in whys) == 6
    assert any(why.startswith("2nd best: the 2nd highest") for why in whys)
    assert sum(why.startswith("Drawn at random") for why in whys) >= 29


def test_selection_is_described():
    assert describe_choice(24, 24) == "All 24 test images."
    described = describe_choice(48, 1500)
    assert described.startswith(
        "48 of 1,500 test images: the typical one, the 6 best, "
    )
    assert "the best, the worst and the most disputed" in describe_choice(8, 30)


def test_large_images_are_embedded_as_jpeg_with_a_note():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert choose_encoder([noise], 10) is png_data_uri
    assert choose_encoder([noise], 10_000) is jpeg_data_uri
    assert describe_encoder(png_data_uri) == ""
    assert "JPEG of quality 92" in describe_encoder(jpeg_data_uri)
    assert jpeg_data_uri(noise).startswith("data:image/jpeg;base64,")
