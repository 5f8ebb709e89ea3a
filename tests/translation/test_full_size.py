"""Time and memory of a photograph of 24 megapixels, in a separate process."""

import json
import subprocess
import sys

import numpy as np
import pytest

from image_translation.translation.tiling import place_tiles, translate_tiles

WIDTH, HEIGHT = 6000, 4000

SCRIPT = """
import io, json, resource, sys
import numpy as np
import torch
from PIL import Image
from image_translation.imaging.photo_files import read_photo
from image_translation.translation.encoded_images import translate_encoded
from image_translation.translation.luminance import luma
from tests.translation.conftest import make_translator
from image_translation.networks import build_network

torch.manual_seed(0)
network = build_network("unet", 32, 4).eval()
with torch.no_grad():
    network.head[0].weight.normal_(0, 2)
translator = make_translator(network, strategy="luminance", grey_input=True)
data = open(sys.argv[1], "rb").read()
result = translate_encoded(translator, data)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, after = (Image.open(io.BytesIO(content)) for content in (data, result))
total, colour = 0.0, 0.0
for top in range(0, after.height, 500):
    box = (0, top, after.width, top + 500)
    strips = [np.asarray(image.convert("RGB").crop(box)) for image in (before, after)]
    total += float(np.abs(luma(strips[0]) - luma(strips[1])).sum())
    colour += float(np.ptp(strips[1].astype(int), axis=2).sum())
pixels = after.width * after.height
print(json.dumps(dict(
    size=after.size, peak=peak, difference=total / pixels, colour=colour / pixels
)))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A grey JPEG with shapes at all scales and grain, like a photograph."""
    from PIL import Image

    rng = np.random.default_rng(0)
    image = np.full((HEIGHT, WIDTH), 128, np.float32)
    for size, strength in ((4, 60), (40, 25), (400, 10)):
        coarse = rng.normal(0, strength, (size * 2, size * 3)).astype(np.float32)
        image += Image.fromarray(coarse).resize((WIDTH, HEIGHT))
    path = tmp_path_factory.mktemp("large") / "24 megapixels.jpg"
    image += rng.normal(0, 3, (HEIGHT, 1)).astype(np.float32)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return path


def test_24_megapixels_take_less_than_2_gib_and_keep_their_luma(large):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(large)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    assert measured["size"] == [WIDTH, HEIGHT]
    assert measured["peak"] < 2 * 2**30
    assert measured["difference"] < 1  # levels of 255
    assert measured["colour"] > 2


def seam_statistic(image, tile, overlap):
    """Mean gradient across the borders of tiles, relative to the rest.

    For both directions, the larger one; 1 where tiles cannot be seen.
    """
    ratios = []
    for axis in (0, 1):
        gradient = np.abs(np.diff(image.astype(float), axis=axis)).mean(
            axis=tuple({0, 1, 2} - {axis})
        )
        starts = place_tiles(image.shape[axis], tile, overlap)
        lines = {s - 1 for s in starts if s} | {s + tile - 1 for s in starts}
        at = np.zeros(len(gradient), bool)
        at[[line for line in lines if line < len(gradient)]] = True
        ratios.append(gradient[at].mean() / gradient[~at].mean())
    return max(ratios)


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_only_tiles_without_overlap_leave_a_seam(overlap):
    """Tiles whose lightness differs by more than the photograph's own gradients."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:900, :1100]
    waves = 110 + 40 * np.sin(x / 9)[..., None] * np.cos(y / 11)[..., None]
    image = (waves + rng.normal(0, 2, (900, 1100, 3))).clip(0, 255).astype(np.uint8)

    def uneven(tiles):
        shifts = rng.integers(-30, 31, (len(tiles), 1, 1, 1))
        return (tiles + shifts).clip(0, 255).astype(np.uint8)

    blended = translate_tiles(uneven, image, 128, overlap)
    assert seam_statistic(image, 128, overlap) == pytest.approx(1, abs=0.05)
    assert seam_statistic(blended, 128, overlap) < 1.05
    hard = translate_tiles(uneven, image, 128, 0)
    assert seam_statistic(hard, 128, 0) > 2
