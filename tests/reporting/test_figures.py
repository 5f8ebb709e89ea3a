import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from image_translation import metrics
from image_translation.reporting import figures
from image_translation.reporting.svg import inline_svg, swatch


def png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def test_comparison_has_a_row_for_every_model(content):
    (ax,) = figures.comparison_chart(content.comparison, "ssim").axes
    assert ax.get_title(loc="left") == metrics.MEASURES["ssim"].title
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == list(content.comparison["model"].unique())


def test_figures_are_tiled_on_white(content):
    figure = figures.comparison_chart(content.comparison, "psnr")
    inline_svg(figure, "a", "x")  # the size of the file does not depend on the page
    legend = figures.legend(content.histories)
    width, height = (figure.get_size_inches() * figures.DOTS_PER_INCH).astype(int)
    below = int(legend.get_size_inches()[1] * figures.DOTS_PER_INCH)
    sheet = np.asarray(
        Image.open(io.BytesIO(figures.to_png([figure] * 4, below=legend)))
    )
    assert sheet.shape == (2 * height + below, 3 * width, 3)
    tile = sheet[:height, :width]
    assert tuple(tile[0, 0]) == (255, 255, 255) and tile.min() < 128
    for row, column in ((0, 1), (0, 2), (1, 0)):
        other = sheet[row * height :, column * width :][:height, :width]
        assert np.array_equal(other, tile)
    assert (sheet[height : 2 * height, width:] == 255).all()


def test_no_figure_is_a_file(content):
    assert Image.open(io.BytesIO(figures.to_png([]))).size == (1, 1)


def test_mean_without_interval_is_drawn(content):
    table = content.comparison.assign(ci_low=np.nan, ci_high=np.nan)
    assert png(figures.comparison_chart(table, "psnr"))


def test_distributions_draw_every_finite_image_of_the_first_training(large):
    scores = {"unet": large.scores["unet"].copy()}
    scores["unet"].loc[0, "psnr"] = np.inf
    figure = figures.score_distribution(scores, "psnr")
    (dots,) = figure.axes[0].collections
    assert len(dots.get_offsets()) == large.scores["unet"]["pair_id"].nunique() - 1


def test_many_images_do_not_make_a_large_figure():
    rng = np.random.default_rng(0)
    scores = {
        model: pd.DataFrame(
            {
                "pair_id": np.arange(5000).astype(str),
                "group": (np.arange(5000) // 5).astype(str),
                "replicate": 0,
                "psnr": rng.normal(22, 3, 5000),
            }
        )
        for model in ("unet", "pix2pix")
    }
    figure = figures.score_distribution(scores, "psnr")
    assert len(inline_svg(figure, "x", "many")) < 300_000


def test_curves_have_a_line_for_every_training(large):
    figure = figures.learning_curve(large.histories, "validation/psnr")
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
    assert len(lines) == 2 * len(large.histories)


def test_chosen_epoch_is_ringed(content):
    figure = figures.learning_curve(
        {"unet": content.histories["unet"]}, "validation/psnr", {"unet": 17}
    )
    ring = figure.axes[0].lines[-1]
    assert list(ring.get_xdata()) == [17]


def test_unused_curves_are_skipped(content):
    assert "train/adversarial" in figures.curves_of(content.histories)
    only = {"unet": content.histories["unet"]}
    assert "train/adversarial" not in figures.curves_of(only)
    assert figures.curves_of(only)[0].startswith("validation/")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_grid_shows_every_image_with_its_scores(content, n):
    items = content.gallery[:n]
    texts = [text.get_text() for text in figures.grid_labels(items, "input").texts]
    assert texts.count("input (derived)") == min(n, 1)
    assert sum("PSNR" in text for text in texts) == n * len(content.scores)
    sheet = np.asarray(Image.open(io.BytesIO(figures.sample_grid(items, "input"))))
    for row, item in enumerate(items):
        top = figures.GRID_MARGIN + row * (figures.GRID_TILE + figures.GRID_SCORES)
        left = figures.GRID_MARGIN + figures.GRID_TILE + figures.GRID_GAP
        shown = sheet[top:, left:][: figures.GRID_TILE, : figures.GRID_TILE]
        # the second column is the target
        assert shown.mean() == pytest.approx(item.target.mean(), abs=2)


def test_image_without_prediction_is_missing_in_the_grid(content):
    first, second, *_ = content.gallery
    lacking = {m: p for m, p in first.predictions.items() if m != "unet"}
    items = [replace(first, predictions=lacking), second]
    texts = [text.get_text() for text in figures.grid_labels(items).texts]
    assert texts.count("missing") == 1


def test_figures_do_not_change_the_process_style(content):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    inline_svg(figures.comparison_chart(content.comparison, "mse"), "a", "x")
    assert dict(mpl.rcParams) == before


def test_svg_is_reproducible_and_self_contained(content):
    first, second = (
        inline_svg(figures.comparison_chart(content.comparison, "psnr"), "a", "x")
        for _ in range(2)
    )
    assert first == second
    assert "http" not in first and "xmlns" not in first
    assert "font-family" not in first and "<style" not in first


def test_svg_uses_the_colours_of_the_page(content):
    drawn = inline_svg(figures.comparison_chart(content.comparison, "mse"), "a", "x")
    assert "currentColor" in drawn and "var(--rule)" in drawn


def test_svg_escapes_names(content):
    table = content.comparison.replace({"model": {"unet": "<b>&$x_1$"}})
    drawn = inline_svg(figures.comparison_chart(table, "mse"), "a", "x")
    assert "&lt;b&gt;&amp;$x_1$" in drawn


def test_swatch_is_a_small_svg():
    assert swatch("unet").startswith("<svg") and len(swatch("unet", line=True)) < 1000


def test_rows_of_the_grid_are_labelled_by_the_ends_of_long_paths(content):
    paths = ["landscape Images/gray/330.jpg", "landscape Images/gray/214.jpg"]
    items = [
        replace(item, name=path)
        for item, path in zip(content.gallery, paths, strict=False)
    ]
    texts = figures.grid_labels(items, "input").texts
    labels = [text.get_text() for text in texts if text.get_rotation() == 90]
    assert labels[:2] == ["330", "214"]


def test_plane_has_a_point_per_model_and_a_path_per_training(content):
    figure = figures.perception_distortion(content.comparison, content.histories)
    test, path = figure.axes
    points = [
        line for line in test.lines if line.get_marker() not in ("", "None", None)
    ]
    assert len(points) == content.comparison["model"].nunique()
    means = content.comparison.set_index(["model", "metric"])["mean"]
    assert points[0].get_xdata()[0] == means["pix2pix", "mse"]
    assert points[0].get_ydata()[0] == means["pix2pix", "swd"]
    assert len(path.lines) == 2 * len(content.histories)
    assert png(figure)


def test_plane_without_models_is_empty(content):
    figure = figures.perception_distortion(content.comparison.head(0), {})
    assert not figure.axes[0].lines
