from dataclasses import replace

import pytest

from image_translation.reporting.typical import (
    describe_typical,
    rank_tiles,
    typical_image,
)


@pytest.fixture(scope="module")
def image(content):
    return typical_image(content)


def with_psnr(content, **means):
    """The table of models with other means of PSNR."""
    table = content.comparison.set_index(["model", "metric"])
    for model, mean in means.items():
        table.loc[(model, "psnr"), "mean"] = mean
    return table.reset_index()


def test_typical_image_is_the_first_of_the_gallery(content, image):
    assert image["name"] == content.gallery[0].name
    assert image["why"].startswith("Typical: ")
    assert {tile["model"] or tile["side"] for tile in image["tiles"]} == {
        "target",
        *content.scores,
    }


def test_input_and_target_come_first_then_the_best_models(content, image):
    table = with_psnr(
        content,
        pix2pix=21,
        unet=24,
        autoencoder=22,
        autoencoder_gan=23,
        copy_input=20,
        mean_target=22.5,
    )
    tiles = rank_tiles(image, table)
    assert [tile.key for tile in tiles] == [
        "input",
        "target",
        "unet",
        "autoencoder_gan",
        "mean_target",
        "autoencoder",
        "pix2pix",
    ]
    assert [tile.mean for tile in tiles][:3] == ["20.00\u00a0dB", "", "24.00\u00a0dB"]
    assert {tile.key: tile.badge for tile in tiles if tile.badge} == {"unet": "best"}


def test_best_trained_model_is_marked_behind_a_baseline(content, image):
    tiles = rank_tiles(image, with_psnr(content, copy_input=99, pix2pix=98))
    assert {tile.model: tile.badge for tile in tiles if tile.badge} == {
        "copy_input": "best",
        "pix2pix": "best trained",
    }


def test_model_without_scores_is_last(content, image):
    table = content.comparison[content.comparison["model"] != "unet"]
    last = rank_tiles(image, table)[-1]
    assert (last.model, last.mean, last.badge) == ("unet", "", "")


def test_numbers_are_described_with_their_subset(image):
    said = describe_typical(image, 24, "validation")
    assert said.startswith("Typical: ")
    assert said.endswith("its mean PSNR over 24 validation images.")


def test_report_without_images_has_no_typical_image(content):
    image = typical_image(replace(content, gallery=[]))
    assert image == {} and rank_tiles(image, content.comparison) == []
