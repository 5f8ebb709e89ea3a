"""Pairs whose input does not resemble the target: label maps and edges of photographs.

Writes folders ``labels`` and ``edges``, each with sub-folders ``input`` and ``target``:

    python benchmarks/abstract_inputs.py <folder of photographs> <output> --count 1000
    kedro run --pipeline=custom \\
      --params "name=labels,source=<output>/labels,pairing.input=input,pairing.target=target"

A label map shows twelve classes in colours of their own. A class is a cluster (k-means) of
superpixels (SLIC) by mean colour and height in the image.
"""

import argparse
import colorsys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.cluster.vq import kmeans2, vq
from skimage.color import rgb2gray, rgb2lab
from skimage.feature import canny
from skimage.segmentation import slic

from image_translation.imaging.decoding import read_image

CLASSES = 12
SUPERPIXELS = 60
HEIGHT = 30.0
"""Weight of the relative height, from 0 to 1, against L*a*b* values."""

LABELS, EDGES = "labels", "edges"


def label_map(photo: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Superpixels of a photograph, H×W, from 0."""
    return slic(photo, SUPERPIXELS, compactness=12, sigma=1, start_label=0)


def describe(
    photo: NDArray[np.uint8], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean L*, a*, b* and weighted height of each superpixel, N×4."""
    height = np.linspace(0, HEIGHT, photo.shape[0])[:, None, None]
    values = np.concatenate(
        [rgb2lab(photo), np.broadcast_to(height, (*photo.shape[:2], 1))], axis=2
    ).reshape(-1, 4)
    flat = labels.ravel()
    counts = np.bincount(flat)
    sums = [np.bincount(flat, weights=column) for column in values.T]
    return np.stack(sums, axis=1) / counts[:, None]


def palette() -> NDArray[np.uint8]:
    """Distinct colours that do not resemble those of the classes, in random order."""
    colours = [
        colorsys.hsv_to_rgb(n / CLASSES, 1 if n % 2 else 0.6, 1 if n % 3 else 0.6)
        for n in range(CLASSES)
    ]
    order = np.random.default_rng(0).permutation(CLASSES)
    return np.round(255 * np.array(colours)[order]).astype(np.uint8)


def edge_map(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Black edges (Canny) on white, H×W."""
    return np.where(canny(rgb2gray(photo), sigma=1.5), 0, 255).astype(np.uint8)


def main() -> None:
    """Write both folders of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.photographs.iterdir() if p.is_file())
    photos = {path: read_image(path) for path in files[: arguments.count]}
    maps = {path: label_map(photo) for path, photo in photos.items()}
    features = {path: describe(photo, maps[path]) for path, photo in photos.items()}
    classes, _ = kmeans2(
        np.concatenate([*features.values()]), CLASSES, minit="++", rng=0
    )
    colours = palette()
    for folder in (LABELS, EDGES):
        for side in ("input", "target"):
            (arguments.output / folder / side).mkdir(parents=True, exist_ok=True)
    for path, photo in photos.items():
        found, _ = vq(features[path], classes)
        inputs = {LABELS: colours[found[maps[path]]], EDGES: edge_map(photo)}
        for folder, image in inputs.items():
            target = arguments.output / folder / "target" / path.name
            target.write_bytes(path.read_bytes())
            Image.fromarray(image).save(
                arguments.output / folder / "input" / f"{path.stem}.png"
            )


if __name__ == "__main__":
    main()
