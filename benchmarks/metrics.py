"""Scoring speed. Prints two Markdown tables.

PSNR and SSIM are compared with a plain scikit-image loop in the same run. Then all default
metrics are timed, of single images and of sets, on noisy crops of a photograph. Run it
with

    python benchmarks/metrics.py --images 1000 --sizes 256 --write docs/performance.md
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pages import write_section
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from image_translation.metrics import psnr, score_images, score_sets, ssim

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
Result = TypeVar("Result")


def make_images(number: int, size: int) -> tuple[Images, Images]:
    """Predictions and targets, N×size×size×3."""
    random = np.random.default_rng(0)
    photo = np.tile(data.astronaut(), (2, 2, 1))
    corners = random.integers(0, 512, (number, 2))
    targets = np.stack([photo[y : y + size, x : x + size] for y, x in corners])
    noise = random.integers(-20, 21, targets.shape, dtype=np.int16)
    return np.clip(targets + noise, 0, 255).astype(np.uint8), targets


def score_by_loop(predictions: Images, targets: Images) -> tuple[Scores, Scores]:
    """PSNR and SSIM by scikit-image, image by image."""
    pairs = list(zip(targets, predictions, strict=True))
    return (
        np.array([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]),
        np.array(
            [
                structural_similarity(
                    a,
                    b,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                    data_range=255,
                    channel_axis=-1,
                )
                for a, b in pairs
            ]
        ),
    )


def score(predictions: Images, targets: Images) -> tuple[Scores, Scores]:
    """PSNR and SSIM by this project."""
    return psnr(predictions, targets), ssim(predictions, targets)


def score_set(predictions: Images, targets: Images) -> pd.DataFrame:
    """All distances between the sets, with one group per image."""
    return score_sets([predictions], targets, np.arange(len(targets)))


def measure(
    function: Callable[[Images, Images], Result], images: tuple[Images, Images]
) -> tuple[Result, float]:
    """Result of a function, and seconds of the faster of two calls."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = function(*images)
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def compare_with_loop(count: int, size: int) -> str:
    """Table row of PSNR and SSIM."""
    images = make_images(count, size)
    expected, loop = measure(score_by_loop, images)
    result, here = measure(score, images)
    deviation = max(np.abs(a - b).max() for a, b in zip(result, expected, strict=True))
    speeds = f"{count / loop:.0f} | {count / here:.0f} | {loop / here:.1f}"
    return f"| {size} | {speeds} | {deviation:.0e} |"


def measure_all(count: int, size: int) -> str:
    """Table row of all default metrics."""
    images = make_images(count, size)
    _, alone = measure(score_images, images)
    _, sets = measure(score_set, images)
    return f"| {size} | {count / alone:.0f} | {count / (alone + sets):.0f} |"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    count, sizes = arguments.images, arguments.sizes
    text = [
        f"{count:,} images each; {os.cpu_count()} cores.",
        "",
        "| px | PSNR and SSIM by a scikit-image loop, images/s | here, images/s | ratio "
        "| largest deviation |",
        "|---|---|---|---|---|",
        *(compare_with_loop(count, size) for size in sizes),
        "",
        "| px | all metrics of single images, images/s | with those of the set, images/s |",
        "|---|---|---|",
        *(measure_all(count, size) for size in sizes),
    ]
    print("\n".join(text))
    if arguments.write:
        write_section(arguments.write, "scoring", text)


if __name__ == "__main__":
    main()
