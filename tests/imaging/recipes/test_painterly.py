import re

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from image_translation.common.errors import InputError
from image_translation.imaging.recipes.painterly import (
    MONET,
    fingerprint_painterly,
    make_painterly,
    paint,
    shift_to_palette,
)
from tests.imaging.recipes.examples import painterly, scenery


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    for number in range(3):
        image = np.full((40, 40, 3), (200, 40 * number, 30), np.uint8)
        image[::4] //= 2
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_strokes_keep_the_composition():
    photo = scenery(64, 64)
    painted = paint(photo, MONET, painterly()).astype(float)
    blocks = [
        i.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)).ravel() for i in (photo, painted)
    ]
    assert np.corrcoef(*blocks)[0, 1] > 0.9


def test_strokes_add_structure_to_flat_areas():
    flat = np.full((64, 64, 3), 130, np.uint8)
    assert paint(flat, MONET, painterly(jitter=1)).std() > 3
    assert paint(flat, MONET, painterly(jitter=0)).std() < 1


def test_more_layers_paint_finer():
    photo = scenery(96, 96)
    settings = [painterly(layers=n, palette=0, jitter=0, brush=1) for n in (1, 3)]
    coarse = [
        np.abs(paint(photo, MONET, s).astype(int) - photo).mean() for s in settings
    ]
    broad = painterly(layers=1, palette=0, jitter=0, brush=8)
    assert np.abs(paint(photo, MONET, broad).astype(int) - photo).mean() > max(coarse)


def test_another_seed_gives_another_painting():
    photo = scenery()
    one, other = (paint(photo, MONET, painterly(seed=seed)) for seed in (0, 1))
    assert (one != other).any()


class TestPalette:
    def test_strength_0_keeps_colours(self):
        photo = scenery()
        difference = shift_to_palette(photo, MONET, 0).astype(int) - photo
        assert np.abs(difference).max() <= 1

    def test_strength_1_moves_colours_to_the_palette(self):
        photo = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)

        def distance(image):
            lab = rgb2lab(image)[..., None, :]
            return np.linalg.norm(lab - np.array(MONET.palette), axis=-1).min(axis=-1)

        pulled = shift_to_palette(photo, MONET, 1)
        assert distance(pulled).mean() < distance(photo).mean() / 2


class TestFolderOfPaintings:
    def test_style_is_measured_on_the_folder(self, paintings):
        photo = scenery()
        painted = make_painterly(painterly(paintings=str(paintings), palette=1))(photo)
        red, _, blue = painted.reshape(-1, 3).mean(axis=0)
        assert red > blue + 40
        assert (painted != make_painterly(painterly(palette=1))(photo)).any()

    def test_fingerprint_depends_on_contents_not_names(self, paintings):
        settings = painterly(paintings=str(paintings))
        before = fingerprint_painterly(settings)
        (paintings / "0.png").rename(paintings / "9.png")
        renamed = paintings.rename(paintings.with_name("renamed"))
        assert fingerprint_painterly(painterly(paintings=str(renamed))) == before
        (renamed / "1.png").unlink()
        assert fingerprint_painterly(painterly(paintings=str(renamed))) != before

    def test_missing_or_empty_folder_is_an_error(self, tmp_path):
        for folder in (tmp_path / "nowhere", tmp_path):
            with pytest.raises(InputError, match=re.escape(str(folder))):
                fingerprint_painterly(painterly(paintings=str(folder)))

    def test_broken_painting_is_reported(self, paintings):
        (paintings / "1.png").write_text("no image")
        with pytest.raises(InputError, match=r"1\.png.*remove"):
            make_painterly(painterly(paintings=str(paintings)))
